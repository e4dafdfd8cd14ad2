//! Events: what happens to the credentials, for people and programs.
//!
//! [`Notifiers`] hands every [`Event`] to its [`Notifier`]s, each on a thread of its own, and to its [`EventStream`]s.
//! Reporting an event never waits for a listener. A listener may fall 1024 events behind; after that it loses the
//! oldest ones, which are counted. Every event is also a `tracing` event of the target `oauth_marathon`.
//!
//! The room knows ids, labels and verdicts, and no token and no pool. A plain callback would be simpler, but listeners
//! are foreign code: a slow or panicking one must not hold up a request.

pub(crate) mod event;
pub(crate) mod hub;
mod notifier;
mod stream;
mod text;
mod toast;
pub(crate) mod trace;
mod worker;

pub use self::event::{Account, Event};
pub use self::hub::Notifiers;
pub use self::notifier::Notifier;
pub use self::stream::EventStream;
pub use self::toast::{Severity, Toast};

#[cfg(test)]
pub(crate) mod samples;
