//! What of one credential is not in the store yet, and whose turn it is to write its record.

use std::sync::Arc;

use crate::store::{Intent, Record, StoreLease};
use crate::sync::{AsyncMutex, OwnedMutexGuard};

/// One at a time in this pool refreshes a credential or writes its record.
#[derive(Debug, Default)]
pub(in crate::pool) struct RecordTurn {
    kept: Arc<AsyncMutex<Kept>>,
}

/// A new token that is in memory alone, and a refresh that was begun. Nobody else may refresh the credential while there is
/// such a token: in the store is the old refresh token, which is spent.
#[derive(Debug, Default)]
pub(in crate::pool) struct Kept {
    pub(in crate::pool) unsaved: Option<Record>,
    pub(in crate::pool) lease: Option<StoreLease>,
    /// The refresh that was begun last, if nobody knows how it ended.
    pub(in crate::pool) begun: Option<Intent>,
}

impl RecordTurn {
    /// Keeps everybody else in this pool from refreshing or storing, until the guard is dropped.
    pub(in crate::pool) async fn kept(&self) -> OwnedMutexGuard<Kept> {
        self.kept.clone().lock_owned().await
    }

    /// The same, unless somebody does so now.
    pub(in crate::pool) fn try_kept(&self) -> Option<OwnedMutexGuard<Kept>> {
        self.kept.clone().try_lock_owned().ok()
    }
}

impl Kept {
    pub(in crate::pool) fn clear(&mut self) {
        *self = Self::default();
    }
}
