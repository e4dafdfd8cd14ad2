//! Tells people and programs what happens to the credentials.
//!
//! [`Notifiers`] hands every [`Event`] to its [`Notifier`]s, each on a thread of its own, and to its [`EventStream`]s.
//! Whoever reports an event never waits for those who listen: each listener may fall 1024 events behind, after which it
//! loses the oldest ones, which are counted. Every event is also a `tracing` event of the target `oauth_marathon`.

pub(crate) mod event;
pub(crate) mod hub;
mod notifier;
mod stream;
mod text;
mod toast;
pub(crate) mod trace;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::event::{Account, Event, LoginReason};
pub use self::hub::Notifiers;
pub use self::notifier::Notifier;
pub use self::stream::EventStream;
pub use self::toast::{Severity, Toast};

/// Runs foreign code, whose panic is not to become ours; `None` if it panicked.
pub(crate) fn shielded<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

#[cfg(test)]
pub(crate) mod samples;
