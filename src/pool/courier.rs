//! Telling the store what has changed in the pool: health in passing, credentials until it has worked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::follow::{Failures, unless_closed};
use super::handle::Pool;
use crate::account::CredentialId;
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::refresh::across::{STORE_LIMIT, STORE_TRIES, limited, new_start};
use crate::store::{CasOutcome, Entry, Record, StoreKey};
use crate::sync::{Handle, time};

/// What becomes of one record.
enum Write {
    /// The store is as it should be.
    Nothing,
    Remove,
    Put(Box<Record>),
}

impl Pool {
    /// Waits until all that has changed in an [opened](crate::pool::PoolBuilder::open) pool is in its store: credentials that
    /// were added, updated or removed, and health. For a pool that was built, it waits for the health that its store has
    /// been told of.
    ///
    /// # Errors
    /// Whatever kept the store from being written. Nothing is lost: the pool goes on trying.
    pub async fn flush(&self) -> Result<(), Error> {
        let failed = |source: BoxError| {
            let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
            let message = format!("the changes of the pool of {:?} could not be stored: {source}", self.0.provider);
            Error::new(kind, message).with_source(source)
        };
        self.tell_health().await;
        self.write_changes().await.map_err(failed)?;
        limited(STORE_LIMIT, self.0.store.flush()).await.map_err(failed)
    }

    /// Starts the task that tells the store, as long as the pool lives.
    pub(super) fn carry(&self, runtime: &Handle) {
        let (pool, outgoing) = (Arc::downgrade(&self.0), self.0.outgoing.clone());
        let mut closing = self.0.closing.subscribe();
        runtime.spawn(async move {
            let mut failures = Failures::default();
            loop {
                // News come to the notes at once, and to the credentials after a pause where the store has failed.
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
                        Ok(()) => failures.clear(),
                        Err(error) => failures.add(&pool, &error),
                    }
                }
            }
        });
    }

    /// Hands the notes to the store, which writes them when it likes.
    async fn tell_health(&self) {
        // What a flush has taken must not overtake what was taken before.
        let _in_their_order = self.0.writing.lock().await;
        let notes = self.state().outbox.take_notes();
        let (wall, now) = (self.0.wall.now(), clock::now());
        for note in notes {
            let change = note.change(wall, now);
            let key = self.key(&note.id);
            // Foreign code: its panic costs this note.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.store.note_health(&key, note.generation, change)));
        }
    }

    /// Brings the store to what the pool holds of each credential that has changed. What fails stays to be done.
    async fn write_changes(&self) -> Result<(), BoxError> {
        let _one_at_a_time = self.0.writing.lock().await;
        let changed = self.state().outbox.changed();
        let mut failed = None;
        for (id, mark) in changed {
            match self.write(&id).await {
                Ok(()) => self.state().outbox.written(&id, mark),
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
        failed.map_or(Ok(()), Err)
    }

    async fn write(&self, id: &CredentialId) -> Result<(), BoxError> {
        let key = self.key(id);
        let mut held = limited(STORE_LIMIT, self.0.store.load(&key)).await?;
        for _ in 0..STORE_TRIES {
            let next = match self.to_write(id, held.as_ref()) {
                Write::Nothing => return Ok(()),
                Write::Remove => None,
                Write::Put(record) => Some(*record),
            };
            let revision = held.map(|held| held.revision);
            match limited(STORE_LIMIT, self.0.store.compare_and_set(&key, revision, next)).await? {
                CasOutcome::Stored(entry) => {
                    self.written_as(entry)?;
                    return Ok(());
                }
                CasOutcome::Removed => return Ok(()),
                CasOutcome::Conflict(found) => held = found,
            }
        }
        Err(format!("the record of {key} changes all the time").into())
    }

    /// A change in the pool wins over what is stored, and gets a later generation, so that everybody takes it over.
    fn to_write(&self, id: &CredentialId, held: Option<&Entry>) -> Write {
        let state = self.state();
        let ours = state.place_of(id.as_str()).and_then(|place| state.entry(place));
        match (ours, held) {
            (None, None) => Write::Nothing,
            (None, Some(_)) => Write::Remove,
            (Some(ours), None) => Write::Put(Record::new(ours.credential.clone(), ours.access.generation).into()),
            (Some(ours), Some(held)) if held.record.credential == ours.credential => {
                ours.custody.set_stored();
                Write::Nothing
            }
            (Some(ours), Some(Entry { record: held, .. })) => {
                let mut next = Record::new(ours.credential.clone(), ours.access.generation.max(held.generation.next()));
                next.health = held.health.clone();
                new_start().apply(&mut next.health);
                Write::Put(next.into())
            }
        }
    }

    /// The pool goes on with the generation that the store has given.
    fn written_as(&self, stored: Entry) -> Result<(), Error> {
        let Record { credential, generation, .. } = stored.record;
        let mut state = self.state();
        let place = state.place_of(credential.id.as_str());
        let Some((place, entry)) = place.and_then(|place| Some((place, state.entry(place)?))) else { return Ok(()) };
        entry.custody.set_stored();
        if entry.credential == credential && entry.access.generation < generation {
            let access = self.0.prepare(&credential, entry.access.slot.clone(), generation)?;
            state.renew(place, credential, Arc::new(access));
            self.reset_active(&state);
        }
        Ok(())
    }

    fn key(&self, id: &CredentialId) -> StoreKey {
        StoreKey::new(self.0.provider.clone(), id.clone())
    }
}
