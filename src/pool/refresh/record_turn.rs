//! What of one credential is not in the store yet, and whose turn it is to write its record.

use std::sync::Arc;

use crate::store::{Intent, Record, StoreLease};
use crate::sync::{AsyncMutex, OwnedMutexGuard};

/// Lets one task at a time in this pool refresh a credential or write its record.
#[derive(Debug, Default)]
pub(in crate::pool) struct RecordTurn {
    kept: Arc<AsyncMutex<Kept>>,
}

/// A new token that is in memory alone, and a refresh that was begun. As long as there is such a token, its lease is
/// kept, and no other process refreshes the credential: the refresh token in the store is spent.
#[derive(Debug, Default)]
pub(in crate::pool) struct Kept {
    pub(in crate::pool) unsaved: Option<Record>,
    pub(in crate::pool) lease: Option<StoreLease>,
    /// The refresh that was begun last, if its end is not known.
    pub(in crate::pool) begun: Option<Intent>,
}

impl RecordTurn {
    /// Waits for its turn. Until the guard is dropped no other task of this pool refreshes the credential or writes its
    /// record.
    pub(in crate::pool) async fn kept(&self) -> OwnedMutexGuard<Kept> {
        self.kept.clone().lock_owned().await
    }

    /// The same without waiting; `None` while another task has its turn.
    pub(in crate::pool) fn try_kept(&self) -> Option<OwnedMutexGuard<Kept>> {
        self.kept.clone().try_lock_owned().ok()
    }
}

impl Kept {
    pub(in crate::pool) fn clear(&mut self) {
        *self = Self::default();
    }
}
