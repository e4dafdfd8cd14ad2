//! Changes of health that wait to be written together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::credentials::Generation;
use crate::store::{HealthChange, StoreKey};

/// Notes in the order in which they came, at most one for each key and generation.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(StoreKey, Generation, HealthChange)>);

#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Waiting,
    /// Whether a task runs that writes the notes.
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

    /// Adds a note. True if a task runs that writes it.
    pub(super) fn add(&self, key: StoreKey, generation: Generation, change: HealthChange) -> bool {
        let mut inner = self.inner();
        inner.waiting.add(key, generation, change);
        inner.attended
    }

    /// Marks that a task runs from now on. True if one ran already.
    pub(super) fn attend(&self) -> bool {
        std::mem::replace(&mut self.inner().attended, true)
    }

    /// Marks that no task runs any more.
    pub(super) fn leave(&self) {
        self.inner().attended = false;
    }

    /// Marks that no task runs any more, if there are no notes. Both in one step, so that the next note starts a new
    /// task.
    pub(super) fn leave_if_empty(&self) -> bool {
        let mut inner = self.inner();
        let is_empty = inner.waiting.0.is_empty();
        inner.attended &= !is_empty;
        is_empty
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
