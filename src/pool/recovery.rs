//! Reports the recovery of a credential at the time when it happens.
//!
//! Requests do not need this: each pick ends the cooldowns that are over. The task runs only while the pool's events have a
//! listener and some credential cools.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::handle::{Inner, Pool};
use crate::clock;
use crate::sync::{Handle, time};

impl Pool {
    /// Starts the task that watches for recoveries, or wakes it, because one may come earlier than it expects.
    pub(super) fn watch_recovery(&self) {
        if !self.0.events.has_listeners() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let is_first = self.state().begin_watch();
        if is_first {
            runtime.spawn(watch(Watch(Arc::downgrade(&self.0))));
        } else {
            self.0.rescheduled.notify_one();
        }
    }

    /// Ends the cooldowns that are over, and returns when the next one ends.
    fn recover(&self) -> Option<Instant> {
        let mut state = self.state();
        let effects = state.join(clock::now());
        self.reset_active(&state);
        let due = state.next_recovery();
        drop(state);
        self.emit(effects);
        due
    }
}

/// Marks, when dropped, that no task watches any more, even if the task is cut short.
struct Watch(Weak<Inner>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            Pool(inner).state().end_watch();
        }
    }
}

async fn watch(watch: Watch) {
    while let Some(pool) = watch.0.upgrade().map(Pool)
        && let Some(due) = pool.recover()
    {
        // A cooldown that ends earlier wakes it. The pool itself may be dropped meanwhile.
        let rescheduled = pool.0.rescheduled.clone();
        drop(pool);
        let _ = time::timeout_at(due.into(), rescheduled.notified()).await;
    }
}
