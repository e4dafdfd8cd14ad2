//! What is known of one credential's record in the store, and what is not there yet.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::store::{Intent, Record, StoreLease};
use crate::sync::atomic::AtomicBool;
use crate::sync::{AsyncMutex, OwnedMutexGuard};

/// What is known of one credential's record.
#[derive(Debug, Default)]
pub(super) struct Custody {
    is_stored: AtomicBool,
    kept: Arc<AsyncMutex<Kept>>,
}

/// A new token that is in memory alone, and a refresh that was begun. Nobody else may refresh the credential while there is
/// such a token: in the store is the old refresh token, which is spent.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) unsaved: Option<Record>,
    pub(super) lease: Option<StoreLease>,
    /// The refresh that was begun last, if nobody knows how it ended.
    pub(super) begun: Option<Intent>,
}

impl Custody {
    /// Whether the store has held a record of it.
    pub(super) fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    pub(super) fn set_stored(&self) {
        self.is_stored.store(true, Relaxed);
    }

    /// Keeps everybody else in this pool from refreshing or storing, until the guard is dropped.
    pub(super) async fn kept(&self) -> OwnedMutexGuard<Kept> {
        self.kept.clone().lock_owned().await
    }
}

impl Kept {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
