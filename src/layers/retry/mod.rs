//! Sending a request again: the only layer that loops.
//!
//! [`RetryLayer`] keeps a spare copy of the request, reads what the layers below noted in the
//! [`RequestContext`](crate::RequestContext) about each attempt, and asks one pure function what to do: stop, the same
//! credential, the next one, or wait. When nothing is left, the caller gets the best answer there was.
//!
//! Sending a request again adds load to a provider that fails, so the pool's budget pays for it. The same credential is
//! tried again after a pause only; the first connection that broke, which may have been an old one, is tried again at
//! once.

mod decide;
mod future;
mod layer;
#[cfg(feature = "tower")]
mod policy;
mod progress;
mod rank;
mod run;
mod service;
mod spare;

pub use self::future::ResponseFuture;
pub use self::layer::RetryLayer;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::policy::{Pause, RetryPolicy};
pub use self::service::Retry;
