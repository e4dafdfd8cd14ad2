//! Writes the pool's changes to the store. A change of health is handed over once; the write of a credential is
//! repeated until it is stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::pull::{Failures, LastRead, unless_closed};
use super::together::{Ours, Together, Write, together};
use crate::clock;
use crate::credentials::{Credential, CredentialId};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::handle::Pool;
use crate::pool::record_turn::RecordTurn;
use crate::pool::refresh::exchange::is_turn_of_this_task;
use crate::store::{CasOutcome, Entry, Record, StoreKey};
use crate::sync::{Handle, time};
use crate::tokens::refresh::across::{STORE_LIMIT, STORE_TRIES, limited};

/// The pause before a record is tried again whose turn a refresh or a saver holds.
const LATER: Duration = Duration::from_secs(1);

/// The pause of a flush that finds the turn of a record taken for the second time.
const TURNS: Duration = Duration::from_millis(50);

/// What is left to do for one record.
enum Left {
    Nothing(Written),
    Write(Write),
}

/// Whether a credential's record was written.
enum Written {
    Done,
    /// There was nothing to write.
    Alike,
    /// Not yet: a refresh of the credential is under way and comes first.
    Later(Arc<RecordTurn>),
}

impl Pool {
    /// Waits until all changes of an [opened](crate::pool::PoolBuilder::open) pool are in its store: credentials that
    /// were added, updated or removed, and health. For a pool that was built, it waits until its store has written the
    /// health.
    ///
    /// # Errors
    /// The error that kept the store from being written. Nothing is lost: the pool goes on trying. Within a token
    /// source it is an error if the credential that is being refreshed has changed: its record is written after that
    /// refresh.
    pub async fn flush(&self) -> Result<(), Error> {
        let failed = |source: BoxError| {
            let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
            let message = format!("the changes of the pool of {:?} could not be stored: {source}", self.0.provider);
            Error::new(kind, message).with_source(source)
        };
        self.tell_health().await;
        let mut has_waited = false;
        loop {
            let refreshing = self.write_changes().await.map_err(failed)?;
            if refreshing.is_empty() {
                break;
            }
            if refreshing.iter().any(is_turn_of_this_task) {
                return Err(failed("a token source cannot wait for its own refresh to be stored".into()));
            }
            // Two flushes that wait for the same turn pass it to each other. The second time, a pause lets the other one write.
            if std::mem::replace(&mut has_waited, true) {
                time::sleep(TURNS).await;
            }
            for record_turn in refreshing {
                drop(record_turn.take().await);
            }
        }
        limited(STORE_LIMIT, self.0.store.flush()).await.map_err(failed)
    }

    /// Starts the task that writes the pool's changes to the store, as long as the pool lives.
    pub(in crate::pool) fn carry(&self, runtime: &Handle) {
        let (pool, outgoing) = (Arc::downgrade(&self.0), self.0.outgoing.clone());
        let mut closing = self.0.closing.subscribe();
        runtime.spawn(async move {
            let (mut failures, mut is_later) = (Failures::default(), false);
            loop {
                // Health is handed over at once. Credentials are written after a pause if the store has failed.
                let wait = async {
                    match failures.retry_at() {
                        Some(when) => drop(time::timeout_at(when.into(), outgoing.notified()).await),
                        // The task that has the turn does not report when it gives it back.
                        None if is_later => drop(time::timeout(LATER, outgoing.notified()).await),
                        None => outgoing.notified().await,
                    }
                };
                if unless_closed(&mut closing, wait).await.is_none() {
                    return;
                }
                let Some(pool) = pool.upgrade().map(Pool) else { return };
                pool.tell_health().await;
                if failures.retry_at().is_none_or(|when| when <= clock::now()) {
                    match pool.write_changes().await {
                        Ok(refreshing) => {
                            failures.clear();
                            is_later = !refreshing.is_empty();
                        }
                        Err(error) => failures.add(&pool, &error),
                    }
                }
            }
        });
    }

    /// Hands the changes of health to the store, which may write them later.
    async fn tell_health(&self) {
        // A flush waits here for earlier notes, so that its own do not overtake them.
        let _in_their_order = self.0.writing.lock().await;
        let notes = self.state().take_health_notes();
        let (wall, now) = (self.0.wall.now(), clock::now());
        for note in notes {
            let change = note.change(wall, now);
            let key = self.key(&note.id);
            // The store is foreign code: if it panics, only this note is lost.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.store.note_health(&key, note.generation, change)));
        }
    }

    /// Brings together what the store and the pool hold of each changed credential. Returns the turns that it has to
    /// wait for, because a refresh holds them. What fails stays to be written.
    async fn write_changes(&self) -> Result<Vec<Arc<RecordTurn>>, BoxError> {
        let _one_at_a_time = self.0.writing.lock().await;
        let changed = self.state().unsaved();
        let (mut refreshing, mut failed) = (Vec::new(), None);
        for (id, mark) in changed {
            match self.write(&id).await {
                Ok(Written::Done) => self.saved(&id, mark, true),
                Ok(Written::Alike) => self.saved(&id, mark, false),
                Ok(Written::Later(record_turn)) => refreshing.push(record_turn),
                Err(error) => failed = Some(error),
            }
        }
        let order = self.state().take_unsaved_order();
        if let Some(order) = order
            && let Err(error) = limited(STORE_LIMIT, self.0.store.set_order(&self.0.provider, &order)).await
        {
            self.state().give_back_order(order);
            failed = Some(error);
        }
        failed.map_or(Ok(refreshing), Err)
    }

    fn saved(&self, id: &CredentialId, mark: u64, is_news: bool) {
        let removed = self.state().saved(id, mark, is_news);
        drop(removed);
    }

    async fn write(&self, id: &CredentialId) -> Result<Written, BoxError> {
        let key = self.key(id);
        let record_turn = self.state().record_turn_of(id);
        let mut pending = match &record_turn {
            Some(record_turn) => match record_turn.try_take() {
                Some(pending) => Some(pending),
                None => return Ok(Written::Later(record_turn.clone())),
            },
            None => None,
        };
        if let Some(pending) = &mut pending {
            self.0.save_pending(&key, pending).await?;
        }
        let mut held = limited(STORE_LIMIT, self.0.store.load(&key)).await?;
        for _ in 0..STORE_TRIES {
            let (next, ours) = match self.settle_with(id, held.as_ref())? {
                Left::Nothing(written) => {
                    let held = held.map(|held| held.record);
                    held.map_or(Ok(()), |held| self.written_as(held.clone(), Some(&held.credential)))?;
                    return Ok(written);
                }
                Left::Write(Write::Put { next, ours }) => (Some(*next), Some(ours)),
                Left::Write(Write::Remove) => (None, None),
            };
            let revision = held.map(|held| held.revision);
            match limited(STORE_LIMIT, self.0.store.compare_and_set(&key, revision, next)).await? {
                CasOutcome::Stored(entry) => {
                    self.written_as(entry.record, ours.as_deref())?;
                    return Ok(Written::Done);
                }
                CasOutcome::Removed => {
                    self.state().removed_from_store(id);
                    return Ok(Written::Done);
                }
                CasOutcome::Conflict(found) => held = found,
            }
        }
        Err(format!("the record of {key} changes all the time").into())
    }

    /// Compares the pool with the stored record, takes the record over if it wins, and says what is left to be written.
    fn settle_with(&self, id: &CredentialId, held: Option<&Entry>) -> Result<Left, Error> {
        let moment = self.0.moment();
        let (mut events, mut gone) = (Vec::new(), None);
        let mut state = self.state();
        let place = state.place_of(id.as_str());
        let ours = place.and_then(|place| state.entry(place)).map(Ours::of);
        let left = match together(ours, held.map(|held| &held.record)) {
            Together::Nothing if place.is_some() => Ok(Left::Nothing(Written::Alike)),
            Together::Nothing => Ok(Left::Nothing(Written::Done)),
            Together::Write(write) => Ok(Left::Write(write)),
            Together::Take(record) => {
                let taken = self.take_changed(&mut state, &mut LastRead::default(), *record, moment, &mut events);
                taken.map(|()| Left::Nothing(Written::Done))
            }
            Together::Forget => {
                gone = state.remove(id.as_str());
                Ok(Left::Nothing(Written::Done))
            }
        };
        self.reset_active(&state);
        self.unlock(state);
        if gone.is_some() {
            tracing::info!(target: "oauth_marathon", credential = %id, "the store does not hold a credential any more; it is removed");
        }
        for event in events {
            self.0.events.emit(|| event);
        }
        left
    }

    /// Takes over the record as the store has kept it, unless the pool holds something else by now.
    fn written_as(&self, stored: Record, ours: Option<&Credential>) -> Result<(), Error> {
        let Record { generation, .. } = stored;
        let moment = self.0.moment();
        let mut state = self.state();
        let place = state.place_of(stored.credential.id.as_str());
        let Some(place) = place else { return Ok(()) };
        let Some(slot) = state.learn_written(place, &stored, ours) else { return Ok(()) };
        let access = Arc::new(self.0.prepare(&stored.credential, slot.clone(), generation, moment)?);
        let is_another = state.go_on_with(place, stored.credential, access);
        self.reset_active(&state);
        drop(state);
        if is_another {
            self.0.events.emit(|| self.0.refreshed(&slot, generation));
        }
        Ok(())
    }

    fn key(&self, id: &CredentialId) -> StoreKey {
        StoreKey::new(self.0.provider.clone(), id.clone())
    }
}
