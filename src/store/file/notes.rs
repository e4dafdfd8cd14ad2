//! Notes about health, which wait to be written together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::shared::Shared;
use crate::store::{HealthChange, StoreKey};
use crate::token::Generation;

/// The least time between two writes.
const INTERVAL: Duration = Duration::from_secs(1);

/// The most, after failures.
const LONGEST: Duration = Duration::from_secs(60);

/// Notes in the order in which they came, at most one for each key and generation.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(StoreKey, Generation, HealthChange)>);

#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Waiting,
    /// A task is there that writes them.
    attended: bool,
}

impl Waiting {
    fn add(&mut self, key: StoreKey, generation: Generation, change: HealthChange) {
        match self.0.iter_mut().find(|(other, of, _)| *other == key && *of == generation) {
            Some((_, _, earlier)) => *earlier = std::mem::take(earlier).then(change),
            None => self.0.push((key, generation, change)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&StoreKey, Generation, &HealthChange)> {
        self.0.iter().map(|(key, generation, change)| (key, *generation, change))
    }
}

impl Notes {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn are_empty(&self) -> bool {
        self.inner().waiting.0.is_empty()
    }

    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut self.inner().waiting)
    }

    /// Puts notes back before those that have come meanwhile.
    pub(super) fn give_back(&self, notes: Waiting) {
        let mut inner = self.inner();
        let later = std::mem::replace(&mut inner.waiting, notes);
        for (key, generation, change) in later.0 {
            inner.waiting.add(key, generation, change);
        }
    }
}

/// Notes a change, and sees to it that somebody will write it. Without a runtime, only a flush does.
pub(super) fn note(shared: &Arc<Shared>, key: &StoreKey, generation: Generation, change: HealthChange) {
    if change.is_empty() {
        return;
    }
    let mut inner = shared.notes.inner();
    inner.waiting.add(key.clone(), generation, change);
    if inner.attended {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    inner.attended = true;
    drop(inner);
    // Spawned after the lock is released: a runtime that is shutting down drops the task at once, and with it the guard.
    let attendant = Attendant { shared: shared.clone(), done: false };
    runtime.spawn(async move { attendant.write().await });
}

/// Writes the notes of a store until there are none.
struct Attendant {
    shared: Arc<Shared>,
    done: bool,
}

impl Attendant {
    async fn write(mut self) {
        let mut pause = INTERVAL;
        loop {
            tokio::time::sleep(pause).await;
            match self.shared.write_notes().await {
                Ok(()) => pause = INTERVAL,
                Err(error) => {
                    pause = (pause * 2).min(LONGEST);
                    tracing::warn!(target: "oauth_marathon", store = %self.shared.path().display(), %error, "the health of credentials could not be stored; it is tried again");
                }
            }
            let mut inner = self.shared.notes.inner();
            if inner.waiting.0.is_empty() {
                // In one step with the look, so that the next note finds that nobody attends.
                inner.attended = false;
                self.done = true;
                return;
            }
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        if !self.done {
            self.shared.notes.inner().attended = false;
        }
    }
}
