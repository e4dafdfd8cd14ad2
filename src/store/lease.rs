//! The store lease: the right to refresh one credential, over all processes that share a store.

use std::any::Any;
use std::fmt;

/// The right to refresh one credential, until it is dropped. [`Store::lease`](super::Store::lease) returns it.
#[must_use = "the lease is given back when it is dropped"]
pub struct StoreLease(Option<Box<dyn Any + Send + Sync>>);

impl StoreLease {
    /// A lease that lasts until `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(guard)))
    }

    /// A lease that excludes no other lease, for a store that only one pool uses.
    pub fn unshared() -> Self {
        Self(None)
    }

    /// Whether this lease excludes every other lease of the same key, in all processes.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for StoreLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLease").field("exclusive", &self.is_exclusive()).finish()
    }
}
