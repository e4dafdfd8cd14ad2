//! Sending a request again: the only layer that loops.
//!
//! [`RetryLayer`] keeps a spare copy of the request, reads what the layers below noted in the
//! [`RequestContext`](crate::RequestContext) about each attempt, and asks one pure function what to do: stop, the same
//! credential, the next one, or wait. When nothing is left, the caller gets the best answer there was.

mod budget;
mod decide;
mod future;
mod layer;
mod rank;
mod run;
mod service;
mod spare;

pub use self::future::ResponseFuture;
pub use self::layer::RetryLayer;
pub use self::service::Retry;
