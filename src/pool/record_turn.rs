//! The turn to refresh one credential or to write its record, and what is not yet in the store of it.

use std::sync::Arc;

use crate::store::{Intent, Record, StoreLease};
use crate::sync::{AsyncMutex, OwnedMutexGuard};

/// The turn of one credential: within this pool, one task at a time refreshes it or writes its record.
#[derive(Debug, Default)]
pub(in crate::pool) struct RecordTurn {
    pending: Arc<AsyncMutex<Pending>>,
}

/// What the pool knows of a credential and the store does not: a new token that is only in memory, and a refresh that
/// has begun. While there is such a token its store lease is kept, because the refresh token in the store is spent and
/// no other process may send it.
#[derive(Debug, Default)]
pub(in crate::pool) struct Pending {
    pub(in crate::pool) unsaved: Option<Record>,
    pub(in crate::pool) lease: Option<StoreLease>,
    /// The intent of the last refresh, if its end is unknown.
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
