//! The credentials of one provider: their order, health, cooldowns and tokens.
//!
//! A credential is in one of four states:
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | ready | in the order; the first one is active | a failure |
//! | cooling | not picked until a time, as a whole or for one model | that time, a success, news of its quota, a person |
//! | probed | cooling, and one request is let through to see whether the cooldown still holds | the end of that request |
//! | out | not picked until a person acts: the login is lost, the token is revoked, the account is banned | [`Pool::update`], [`Pool::clear`] |
//!
//! The active credential stays active until it fails. A failed one cools; those that recover join the back of the order, in
//! the order of recovery. A cooldown of one model keeps a credential from requests for that model alone: it stays in the
//! order for the others. When a quota's reset is far away, one request at a time probes early, at growing intervals, and
//! only while no credential is ready: see the README's table.
//!
//! The lock rule: one short lock guards the state. All decisions are pure functions under it, with the time as an argument
//! (`state`). It is never held across an await, and no foreign code (strategy, classifier, notifier, token source, store)
//! runs under it: events and writes follow after it is released. Two async locks are held across awaits: the turn to write one
//! credential's record (`record_turn`), and the turn to write to the store, which `mirror` takes for one round of writes.
//!
//! The fast path: a request whose credential is active and whose token is fresh takes no lock. It reads the published
//! credential (`prepared`), and the clock if the token expires; its success is counted in atomics. Only a success that has a
//! cooldown to end or something to note takes the lock.
//!
//! What may touch what: only `state` sees the fields of its `State` and of the credentials in it; all others call its
//! transitions and readings. `selection` chooses among the ready credentials, `lease` holds one for an attempt, `refresh`
//! replaces tokens, and `mirror` keeps the store alike. `budget` counts the resends that the stacks of a pool may make; it has a
//! lock of its own. The other files are the edge, which locks, calls a transition and sends its effects. It is not one map behind a lock, because thousands of requests share it, several processes share
//! its store, and a refresh token must never be sent twice.

pub(crate) mod budget;
mod builder;
mod handle;
mod lease;
mod manage;
mod mirror;
mod prepared;
mod record_turn;
mod recovery;
mod refresh;
mod selection;
mod snapshot;
mod state;
#[cfg(all(test, shuttle))]
mod tests;

pub use self::builder::PoolBuilder;
pub use self::handle::Pool;
pub use self::lease::Lease;
pub(crate) use self::lease::{Acquired, Unavailable};
pub(crate) use self::prepared::Access;
pub use self::selection::{Candidate, Choice, Strategy};
pub use self::snapshot::{CredentialSnapshot, ModelSnapshot, PoolSnapshot, Standing};
pub(crate) use self::state::{Outcome, RefreshOutcome, Remembered, RequestView, Settled, invented};
