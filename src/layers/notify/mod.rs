//! Opens the [`RequestContext`](crate::RequestContext) of each call, and reports callers that go away.
//!
//! [`NotifyLayer`] is the outermost layer of a stack. It touches only the context, and the notifiers that it reports to. It
//! is more than one insert into the extensions, because the context has to be the current one in `call`, in each poll and in
//! the drop of the answer's future. Response bodies and spawned tasks are outside of it, and carry a clone where they need
//! one.

#[cfg(test)]
mod doubles;
mod future;
mod guard;
mod layer;
mod service;

pub use self::future::ResponseFuture;
pub use self::layer::NotifyLayer;
pub use self::service::Notify;
