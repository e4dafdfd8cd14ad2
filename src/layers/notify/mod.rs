//! Opens the [`RequestContext`](crate::RequestContext) of each call, and reports callers that go away.
//!
//! [`NotifyLayer`] is the outermost layer of a stack. Response bodies and spawned tasks are outside of its context; they carry
//! a clone of it where they need one.

mod future;
mod guard;
#[cfg(test)]
mod inner;
mod layer;
mod service;

pub use self::future::ResponseFuture;
pub use self::layer::NotifyLayer;
pub use self::service::Notify;
