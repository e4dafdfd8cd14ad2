//! The credentials of one provider: their order, health, cooldowns and tokens.
//!
//! One credential is active and stays so until it fails; finding it takes no lock. A failed one goes to the back of the
//! order and rests; those that recover join the back in the order of recovery. All decisions are pure functions under one
//! short lock (`state`, `settle`, `pick`), and what follows from them happens after it is released.
//!
//! A limit of one model keeps a credential from requests for that model alone: it stays in the order for the others, and
//! the active one stays active for them. A used-up quota whose reset is far is looked into before its time, by one request
//! at a time, at growing intervals, and only while no credential is ready: see the README's table.

mod access;
mod acquire;
mod active;
mod answer;
mod ask;
mod builder;
mod cooldown;
mod courier;
mod custody;
mod exchange;
mod failure;
mod faults;
mod follow;
mod handle;
mod last_status;
mod late;
mod lease;
mod lift;
mod look;
mod manage;
mod models;
mod open;
mod outbox;
mod pick;
mod ready;
mod recheck;
mod recovery;
mod renewal;
mod renewing;
mod rest;
mod rests;
/// Public for this repository's benches alone; no promise covers it.
#[doc(hidden)]
pub mod rotation;
mod saver;
#[cfg(all(test, shuttle))]
mod schedules;
mod settle;
mod snapshot;
mod state;
mod strategy;
mod takeover;
mod together;

pub(crate) use self::prepared::Access;
pub(crate) use self::acquire::{Acquired, Unavailable};
pub(crate) use self::state::last_answer::{Remembered, invented};
pub(crate) use self::state::ask::Ask;
pub use self::builder::PoolBuilder;
pub use self::handle::Pool;
pub use self::lease::Lease;
pub(crate) use self::state::refreshing::Renewal;
pub(crate) use self::state::settle::{Outcome, Request, Settled};
pub use self::snapshot::{CredentialSnapshot, ModelSnapshot, PoolSnapshot, Standing};
pub use self::strategy::{Candidate, Choice, Strategy};
