//! Injects a credential into each request, and settles the attempt with the pool.
//!
//! [`CredentialLayer`] leases a credential of a [`Pool`](crate::Pool) for each attempt, injects it, and settles what came
//! back. No other layer changes the pool's credentials. [`OriginGuardLayer`] stands below a redirect layer and keeps credentials
//! from following to another origin.
//!
//! It is not one line that sets a header: the origin has to be checked first, an expired token has to be waited for, an
//! attempt has to be settled exactly once however it ends, and the lease lasts until the answer's body does.

mod attempt;
mod body;
mod future;
mod inject;
mod layer;
mod origin_guard;
mod service;
mod settle;
mod unavailable;
mod unsettled;
mod wait;

pub use self::body::LeaseBody;
pub use self::future::ResponseFuture;
pub use self::layer::CredentialLayer;
pub use self::origin_guard::{OriginGuard, OriginGuardLayer};
pub use self::service::CredentialService;
