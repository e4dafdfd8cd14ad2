//! Putting a credential on a request, and settling what came of it.
//!
//! [`CredentialLayer`] leases a credential of a [`Pool`](crate::Pool) for each attempt, injects it, and tells the pool what
//! came back. [`OriginGuardLayer`] stands below a redirect layer and keeps credentials from following to another origin.

mod attempt;
mod body;
mod future;
mod inject;
mod late;
mod layer;
mod origin_guard;
mod service;
mod settle;
mod unavailable;
mod wait;

pub use self::body::LeaseBody;
pub use self::future::ResponseFuture;
pub use self::layer::CredentialLayer;
pub use self::origin_guard::{OriginGuard, OriginGuardLayer};
pub use self::service::CredentialService;
