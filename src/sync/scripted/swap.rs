//! A value that is replaced as a whole, like `arc_swap`, with a step for each load and each replacement.

use std::sync::Arc;

use super::super::{Mutex, lock};

#[derive(Debug)]
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

/// The loaded value.
pub(crate) type Guard<T> = T;

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        lock(&self.0).clone()
    }

    pub(crate) fn rcu(&self, mut next: impl FnMut(&Arc<T>) -> T) {
        loop {
            let before = self.load();
            let after = Arc::new(next(&before));
            let mut held = lock(&self.0);
            if Arc::ptr_eq(&held, &before) {
                *held = after;
                return;
            }
        }
    }
}
