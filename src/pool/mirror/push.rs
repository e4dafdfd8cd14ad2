//! Writes the pool's changes to the store. A change of health is handed over once; a credential is tried until it is stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::pull::{Failures, Seen, unless_closed};
use super::together::{Ours, Together, Write, together};
use crate::clock;
use crate::credentials::{Credential, CredentialId};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::handle::Pool;
use crate::pool::refresh::record_turn::RecordTurn;
use crate::pool::state::stored::Moment;
use crate::store::{CasOutcome, Entry, Record, StoreKey};
use crate::sync::{Handle, time};
use crate::tokens::refresh::across::{Known, STORE_LIMIT, STORE_TRIES, is_same, limited};

/// Whether a credential's record was written.
enum Written {
    Done,
    /// A refresh of the credential is under way, and comes first.
    Later(Arc<RecordTurn>),
}

impl Pool {
    /// Waits until all that has changed in an [opened](crate::pool::PoolBuilder::open) pool is in its store: credentials that
    /// were added, updated or removed, and health. For a pool that was built, it waits for the health that its store has
    /// to write.
    ///
    /// # Errors
    /// If the store could not be written. Nothing is lost: the pool goes on trying.
    pub async fn flush(&self) -> Result<(), Error> {
        let failed = |source: BoxError| {
            let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
            let message = format!("the changes of the pool of {:?} could not be stored: {source}", self.0.provider);
            Error::new(kind, message).with_source(source)
        };
        self.tell_health().await;
        loop {
            let refreshing = self.write_changes().await.map_err(failed)?;
            if refreshing.is_empty() {
                break;
            }
            for record_turn in refreshing {
                drop(record_turn.kept().await);
            }
        }
        limited(STORE_LIMIT, self.0.store.flush()).await.map_err(failed)
    }

    /// Starts the task that writes the pool's changes to the store, as long as the pool lives.
    pub(in crate::pool) fn carry(&self, runtime: &Handle) {
        let (pool, outgoing) = (Arc::downgrade(&self.0), self.0.outgoing.clone());
        let mut closing = self.0.closing.subscribe();
        runtime.spawn(async move {
            let mut failures = Failures::default();
            loop {
                // Health is handed over at once. Credentials are written after a pause, if the store has failed.
                let wait = async {
                    match failures.retry_at() {
                        Some(when) => time::timeout_at(when.into(), outgoing.notified()).await.is_err(),
                        None => {
                            outgoing.notified().await;
                            true
                        }
                    }
                };
                let Some(writes) = unless_closed(&mut closing, wait).await else { return };
                let Some(pool) = pool.upgrade().map(Pool) else { return };
                pool.tell_health().await;
                if writes {
                    match pool.write_changes().await {
                        // A credential that is being refreshed is written later: the end of its refresh wakes this task.
                        Ok(_) => failures.clear(),
                        Err(error) => failures.add(&pool, &error),
                    }
                }
            }
        });
    }

    /// Hands the changes of health to the store, which may write them later.
    async fn tell_health(&self) {
        // The notes that a flush takes must not overtake earlier ones.
        let _in_their_order = self.0.writing.lock().await;
        let notes = self.state().outbox.take_notes();
        let (wall, now) = (self.0.wall.now(), clock::now());
        for note in notes {
            let change = note.change(wall, now);
            let key = self.key(&note.id);
            // Foreign code: its panic costs this note only.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.store.note_health(&key, note.generation, change)));
        }
    }

    /// Brings together what the store and the pool hold of each changed credential. Returns the turns of the credentials that
    /// have to wait for a refresh. What fails stays to be written.
    async fn write_changes(&self) -> Result<Vec<Arc<RecordTurn>>, BoxError> {
        let _one_at_a_time = self.0.writing.lock().await;
        let changed = self.state().outbox.changed();
        let (mut refreshing, mut failed) = (Vec::new(), None);
        for (id, mark) in changed {
            match self.write(&id).await {
                Ok(Written::Done) => self.state().outbox.written(&id, mark),
                Ok(Written::Later(record_turn)) => refreshing.push(record_turn),
                Err(error) => failed = Some(error),
            }
        }
        let order = self.state().outbox.take_order();
        if let Some(order) = order
            && let Err(error) = limited(STORE_LIMIT, self.0.store.set_order(&self.0.provider, &order)).await
        {
            self.state().outbox.give_back_order(order);
            failed = Some(error);
        }
        failed.map_or(Ok(refreshing), Err)
    }

    async fn write(&self, id: &CredentialId) -> Result<Written, BoxError> {
        let key = self.key(id);
        let record_turn = self.record_turn_of(id);
        let mut kept = match &record_turn {
            Some(record_turn) => match record_turn.try_kept() {
                Some(kept) => Some(kept),
                None => return Ok(Written::Later(record_turn.clone())),
            },
            None => None,
        };
        if let Some(kept) = &mut kept {
            self.0.save_kept(&key, kept).await?;
        }
        let mut held = limited(STORE_LIMIT, self.0.store.load(&key)).await?;
        for _ in 0..STORE_TRIES {
            let (next, ours) = match self.settle_with(id, held.as_ref())? {
                None => {
                    let held = held.map(|held| held.record);
                    held.map_or(Ok(()), |held| self.written_as(held.clone(), Some(&held.credential)))?;
                    return Ok(Written::Done);
                }
                Some(Write::Put { next, ours }) => (Some(*next), Some(ours)),
                Some(Write::Remove) => (None, None),
            };
            let revision = held.map(|held| held.revision);
            match limited(STORE_LIMIT, self.0.store.compare_and_set(&key, revision, next)).await? {
                CasOutcome::Stored(entry) => {
                    self.written_as(entry.record, ours.as_deref())?;
                    return Ok(Written::Done);
                }
                CasOutcome::Removed => return Ok(Written::Done),
                CasOutcome::Conflict(found) => held = found,
            }
        }
        Err(format!("the record of {key} changes all the time").into())
    }

    /// Applies what the pool has to take over from the store, and returns what is left to be written.
    fn settle_with(&self, id: &CredentialId, held: Option<&Entry>) -> Result<Option<Write>, Error> {
        let moment = Moment { wall: self.0.wall.now(), now: clock::now() };
        let (mut events, mut is_gone) = (Vec::new(), false);
        let mut state = self.state();
        let place = state.place_of(id.as_str());
        let ours = place.and_then(|place| state.entry(place)).map(Ours::of);
        let left = match together(ours, held.map(|held| &held.record)) {
            Together::Nothing => Ok(None),
            Together::Write(write) => Ok(Some(write)),
            Together::Take(record) => {
                self.take_changed(&mut state, &mut Seen::default(), *record, moment, &mut events).map(|()| None)
            }
            Together::Forget => {
                is_gone = state.remove(id.as_str()).is_some();
                Ok(None)
            }
        };
        self.reset_active(&state);
        self.unlock(state);
        if is_gone {
            tracing::info!(target: "oauth_marathon", credential = %id, "the store does not hold a credential any more; it is removed");
        }
        for event in events {
            self.0.events.emit(|| event);
        }
        left
    }

    /// Takes over what the store has stored for the pool, unless the pool holds something else by now.
    fn written_as(&self, stored: Record, ours: Option<&Credential>) -> Result<(), Error> {
        let Record { generation, .. } = stored;
        let mut state = self.state();
        let place = state.place_of(stored.credential.id.as_str());
        let Some((place, entry)) = place.and_then(|place| Some((place, state.entry_mut(place)?))) else {
            return Ok(());
        };
        entry.known.has_held(&stored, &entry.credential.material);
        let is_other = entry.access.generation != generation || entry.credential != stored.credential;
        if !is_other || ours != Some(&entry.credential) {
            return Ok(());
        }
        let slot = entry.access.slot.clone();
        let is_same = is_same(&entry.credential.material, &stored.credential.material);
        let access = Arc::new(self.0.prepare(&stored.credential, slot.clone(), generation)?);
        if is_same {
            state.relabel(place, stored.credential, access);
        } else {
            entry.known = Known::stored(generation);
            state.replace_secret(place, stored.credential, access);
        }
        self.reset_active(&state);
        drop(state);
        if !is_same {
            self.0.events.emit(|| self.0.refreshed(&slot, generation));
        }
        Ok(())
    }

    fn record_turn_of(&self, id: &CredentialId) -> Option<Arc<RecordTurn>> {
        let state = self.state();
        let entry = state.place_of(id.as_str()).and_then(|place| state.entry(place));
        entry.map(|entry| entry.record_turn.clone())
    }

    fn key(&self, id: &CredentialId) -> StoreKey {
        StoreKey::new(self.0.provider.clone(), id.clone())
    }
}
