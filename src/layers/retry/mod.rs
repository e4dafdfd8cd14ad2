//! Sends a request again after a failure: the only layer that loops.
//!
//! [`RetryLayer`] keeps a spare copy of the request, reads what the layers below noted in the
//! [`RequestContext`](crate::RequestContext) about each attempt, and asks one pure function (`decide`) what to do: stop, the
//! same credential, failover to the next one, or wait. When nothing is left, the caller gets the best answer that came.
//!
//! It never reads the pool's state, and it alone sleeps. It is not a plain loop over credentials, because a resend adds load
//! to a provider that fails: the pool's budget pays for it, and each one follows a pause, except the first one after an old
//! connection broke.

mod best;
mod decide;
mod future;
mod layer;
#[cfg(feature = "tower")]
mod policy;
mod progress;
mod run;
mod service;
mod spare;

pub use self::future::ResponseFuture;
pub use self::layer::RetryLayer;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::policy::{Pause, RetryPolicy};
pub use self::service::Retry;
