//! The turn to refresh one credential or to write its record, and what of the credential is not in the store yet.

use std::sync::Arc;

use crate::store::{Intent, Record, StoreLease};
use crate::sync::{AsyncMutex, OwnedMutexGuard};

/// The turn of one credential: within this pool, one task at a time refreshes it or writes its record.
#[derive(Debug, Default)]
pub(in crate::pool) struct RecordTurn {
    pending: Arc<AsyncMutex<Pending>>,
}

/// What is known of a credential and is not in the store: a new token that is in memory alone, and a refresh that has begun.
/// While there is such a token its store lease is kept, because the refresh token in the store is spent and must not be sent
/// by another process.
#[derive(Debug, Default)]
pub(in crate::pool) struct Pending {
    pub(in crate::pool) unsaved: Option<Record>,
    pub(in crate::pool) lease: Option<StoreLease>,
    /// The refresh that was begun last, if its end is unknown.
    pub(in crate::pool) begun: Option<Intent>,
}

impl RecordTurn {
    /// Waits for the turn, which lasts until the guard is dropped.
    pub(in crate::pool) async fn take(&self) -> OwnedMutexGuard<Pending> {
        self.pending.clone().lock_owned().await
    }

    /// Takes the turn, if it is free now.
    pub(in crate::pool) fn try_take(&self) -> Option<OwnedMutexGuard<Pending>> {
        self.pending.clone().try_lock_owned().ok()
    }
}

impl Pending {
    pub(in crate::pool) fn clear(&mut self) {
        *self = Self::default();
    }
}
