//! Tells people and programs what happens to the credentials, and opens the context of each request.
//!
//! [`Notifiers`] hands every [`Event`] to its [`Notifier`]s, each on a thread of its own, and to its [`EventStream`]s.
//! Whoever reports an event never waits for those who listen: each listener may fall 1024 events behind, after which it
//! loses the oldest ones, which are counted. Every event is also a `tracing` event of the target `oauth_marathon`.
//!
//! [`NotifyLayer`] is the outermost layer of a stack: it opens the [`RequestContext`](crate::RequestContext) of a call,
//! and reports callers that go away. Response bodies and spawned tasks are outside of that context; they carry a clone
//! of it where they need one.

mod event;
mod future;
mod guard;
mod hub;
mod layer;
mod notifier;
mod service;
mod stream;
mod text;
mod toast;
mod trace;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::event::{Account, Event, LoginReason};
pub use crate::layers::notify::future::ResponseFuture;
pub use self::hub::Notifiers;
pub use crate::layers::notify::layer::NotifyLayer;
pub use self::notifier::Notifier;
pub use crate::layers::notify::service::Notify;
pub use self::stream::EventStream;
pub use self::toast::{Severity, Toast};

/// Runs foreign code, whose panic is not to become ours; `None` if it panicked.
fn shielded<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

#[cfg(test)]
mod inner;
#[cfg(test)]
mod samples;
