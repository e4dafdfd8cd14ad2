//! What a request reads of a credential without the pool's lock: headers that are built once, counters, the active one.
//!
//! An [`Access`] is built when a credential or its token changes, and shared by every request; its [`Slot`] holds the
//! counters that outlive a token. [`Active`] publishes the one that requests begin with. This room knows no order, no health
//! and no lock of the pool. It is not a part of the state, because a request whose credential is fine must not wait for
//! others to let go of the lock.

mod access;
mod active;
mod slot;

pub(crate) use self::access::{Access, Lifetime};
pub(in crate::pool) use self::active::Active;
pub(crate) use self::slot::Slot;
