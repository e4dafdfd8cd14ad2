//! Stores a refreshed credential that could not be stored at once, however long it takes.

use std::sync::Arc;
use std::time::Duration;

use crate::error::BoxError;
use crate::pool::handle::Inner;
use crate::pool::record_turn::{Pending, RecordTurn};
use crate::store::{DynStore, Record, StoreKey, StoreLease};
use crate::sync::{spawn, time, watch};
use crate::tokens::refresh::across::{Saved, lease, save};

/// The pause before a token that could not be stored is stored again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two attempts to store.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    /// Keeps a new token in memory, and starts the task that stores it: it tries soon, then once a minute, until the store
    /// takes the token or holds a later one, and a last time when the pool ends.
    pub(in crate::pool) fn keep_trying(
        &self,
        key: StoreKey,
        record_turn: &Arc<RecordTurn>,
        pending: &mut Pending,
        record: Record,
        lease: Option<StoreLease>,
    ) {
        pending.lease = lease.or(pending.lease.take());
        let is_attended = pending.unsaved.replace(record).is_some();
        if is_attended {
            return;
        }
        let saver = Saver {
            store: self.store.clone(),
            key,
            record_turn: record_turn.clone(),
            closing: self.closing.subscribe(),
            _counted: Counted::new(&self.refreshing),
        };
        spawn(saver.run());
    }

    /// Stores a token that is only in memory, before anything else of its credential is written.
    pub(in crate::pool) async fn save_pending(&self, key: &StoreKey, pending: &mut Pending) -> Result<(), BoxError> {
        let Some(next) = &pending.unsaved else { return Ok(()) };
        match save(&*self.store, key, next, None).await {
            Saved::Failed(error) => Err(error),
            Saved::Stored(_) | Saved::Overtaken(_) | Saved::Removed => {
                pending.clear();
                Ok(())
            }
        }
    }
}

/// The task that stores a token which is only in memory.
struct Saver {
    store: Arc<dyn DynStore>,
    key: StoreKey,
    record_turn: Arc<RecordTurn>,
    closing: watch::Receiver<bool>,
    /// Makes a shutdown wait for this task.
    _counted: Counted,
}

impl Saver {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            // The pool is shut down, or its last handle is dropped.
            let is_last = time::timeout(pause, self.closing.wait_for(|closing| *closing)).await.is_ok();
            let mut pending = self.record_turn.take().await;
            let Some(next) = pending.unsaved.clone() else { return };
            let credential = self.key.credential();
            match save(&*self.store, &self.key, &next, None).await {
                Saved::Stored(_) | Saved::Overtaken(_) | Saved::Removed => {
                    tracing::info!(target: "oauth_marathon", %credential, "a refreshed token that was in memory alone is stored");
                    pending.clear();
                    return;
                }
                Saved::Failed(error) if is_last => {
                    tracing::error!(target: "oauth_marathon", %credential, %error, "a refreshed token is lost with the pool: it could not be stored; log in again");
                    pending.clear();
                    return;
                }
                Saved::Failed(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            // If the lease's file was removed, the lease is free, and another process would send the spent token again.
            if let Ok(Some(again)) = lease(&*self.store, &self.key, Duration::ZERO).await {
                pending.lease = Some(again);
            }
        }
    }
}

/// Counts one task that a shutdown waits for.
pub(in crate::pool) struct Counted(watch::Sender<usize>);

impl Counted {
    pub(in crate::pool) fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
