//! Judges what came back: reads the head of an answer, the bounded body of a failure and the beginning of a stream, and notes
//! a [`Verdict`](crate::verdict::Verdict) for the layers above.
//!
//! It asks the user's [`Classifier`](crate::verdict::Classifier)s first, then the rules of the provider's family, at last the
//! standard classifier. It touches the answer and the context, and no pool: what a verdict means for a credential is settled
//! above. It is not a table of statuses, because providers say what failed in the body, and a stream with status 200 may
//! still be a failure. Reading is bounded in bytes and time, and what was read goes to the caller all the same.

mod body;
mod future;
mod judge;
mod layer;
mod read;
mod service;
mod stream;
mod watched;

pub use self::body::ClassifyBody;
pub use self::future::ResponseFuture;
pub use self::layer::ClassifyLayer;
pub use self::service::Classify;
#[cfg(feature = "reqwest")]
pub(crate) use self::stream::Asked;
