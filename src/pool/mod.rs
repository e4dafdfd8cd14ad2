//! The credentials of one provider: their order, health, cooldowns and tokens.
//!
//! One credential is active and stays so until it fails; finding it takes no lock. A failed one goes to the back of the
//! order and rests; those that recover join the back in the order of recovery. All decisions are pure functions under one
//! short lock (`state`, `settle`, `pick`), and what follows from them happens after it is released.
//!
//! A limit of one model keeps a credential from requests for that model alone: it stays in the order for the others, and
//! the active one stays active for them. A used-up quota whose reset is far is looked into before its time, by one request
//! at a time, at growing intervals, and only while no credential is ready: see the README's table.

mod acquire;
mod active;
pub(crate) mod budget;
mod builder;
mod handle;
mod late;
mod lease;
mod manage;
mod mirror;
mod prepared;
mod recovery;
mod refresh;
#[cfg(all(test, shuttle))]
mod schedules;
mod snapshot;
pub mod state;
mod strategy;

pub(crate) use self::acquire::{Acquired, Unavailable};
pub use self::builder::PoolBuilder;
pub use self::handle::Pool;
pub use self::lease::Lease;
pub(crate) use self::prepared::Access;
pub use self::snapshot::{CredentialSnapshot, ModelSnapshot, PoolSnapshot, Standing};
pub(crate) use self::state::ask::Ask;
pub(crate) use self::state::last_answer::{Remembered, invented};
pub(crate) use self::state::refresh_state::RefreshOutcome;
pub(crate) use self::state::settle::{Outcome, Request, Settled};
pub use self::strategy::{Candidate, Choice, Strategy};
