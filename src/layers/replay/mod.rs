//! Request bodies that can be sent more than once.
//!
//! A [`Full`](http_body_util::Full) or [`Empty`](http_body_util::Empty) body clones for free, so it is replayable as it is. Any other body is wrapped in a
//! [`ReplayBody`], by hand or by [`ReplayLayer`]: it keeps what the first send reads, up to a limit, and plays it back
//! to the next one. Nothing is read ahead, and a body over the limit is sent once, unharmed.
//!
//! This room knows no pool, no verdict and no context: it only records a body. It is not a read into memory before the first
//! send, because that would delay every request and break streams that wait for the answer. The rest of the care is for
//! handles that overlap: an old attempt may still hold the body when the next one reads it.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::{BodyExt, Full};
//! use oauth_marathon::layers::replay::{ReplayBody, ReplayableBody};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let first = ReplayBody::new(Full::new(Bytes::from("hello")), 1024);
//! let spare = first.try_clone().unwrap();
//! assert_eq!(first.collect().await.unwrap().to_bytes(), "hello");
//!
//! let second = spare.try_clone().unwrap();
//! assert_eq!(second.collect().await.unwrap().to_bytes(), "hello");
//! # }
//! ```

mod body;
mod layer;
mod service;
mod state;
mod tape;
#[cfg(test)]
mod tests;

pub use self::body::ReplayBody;
pub use self::layer::ReplayLayer;
pub use self::service::Replay;
pub use crate::layers::replayable::ReplayableBody;

/// The default of `replayLimitBytes`: 1 MiB.
const DEFAULT_LIMIT: usize = 1024 * 1024;
