//! Locks, atomics, channels, tasks and timers, all from one place.
//!
//! Usually they are the types of `std`, `tokio` and `arc_swap`, and nothing more. Built with `--cfg shuttle`, every use
//! of a lock or an atomic, every start of a task and every end of a wait is a step at which a test may switch to
//! another task, and time passes only while every task waits. So the test chooses the order of steps, and can repeat a
//! bad one.
//!
//! This room holds no rule. Rooms that share state take these types from here and not from `std` or `tokio`, because a race
//! between a refresh, a writer and a request shows only in an order of steps that no ordinary test meets.
//!
//! Two guards against panics stand here too: taking a poisoned lock, and calling foreign code.
//!
//! The channels are tokio's in both cases: they need no runtime, and there is a lock, an atomic or a wait around each use.

#[cfg(shuttle)]
pub(crate) mod scripted;

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, TryLockError, atomic},
    thread_local,
};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

#[cfg(not(shuttle))]
pub(crate) use arc_swap::{ArcSwap, Guard};
#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, TryLockError, atomic},
    thread_local,
};
pub(crate) use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, oneshot, watch};
#[cfg(not(shuttle))]
pub(crate) use tokio::{runtime::Handle, spawn, task_local, time};

#[cfg(shuttle)]
pub(crate) use self::scripted::{ArcSwap, Guard, Handle, spawn, task_local, time};

/// Takes a lock, even if a thread panicked while it held it: the data behind it is changed in steps that cannot panic.
#[inline]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls foreign code; `None` if it panicked.
#[inline]
pub(crate) fn shielded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}
