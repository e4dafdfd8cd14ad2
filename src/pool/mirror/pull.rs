//! Follows the store: the pool takes over what other processes change there.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::clock;
use crate::credentials::CredentialId;
use crate::error::{BoxError, Error};
use crate::events::Event;
use crate::pool::handle::{Inner, Pool};
use crate::pool::state::{Arrival, Moment, State};
use crate::store::{Changes, Entry, Health, Record};
use crate::sync::{time, watch};

/// The least time between two reads, so that many changes at once cause one read.
const BREATH: Duration = Duration::from_millis(100);

/// How often one reading of the store is repeated because this pool has written during it.
const READS: usize = 3;

/// The pause before a store that failed is read again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the last reading of the store has found.
#[derive(Debug, Default)]
pub(in crate::pool) struct LastRead {
    health: HashMap<CredentialId, Health>,
    order: Vec<CredentialId>,
}

/// The task that follows the store, as long as the pool lives.
pub(in crate::pool) struct Follower {
    pool: Weak<Inner>,
    changes: Changes,
    closing: watch::Receiver<bool>,
    seen: LastRead,
}

impl Follower {
    pub(in crate::pool) fn new(pool: &Pool, changes: Changes, seen: LastRead) -> Self {
        Self { pool: Arc::downgrade(&pool.0), changes, closing: pool.0.closing.subscribe(), seen }
    }

    pub(in crate::pool) async fn run(mut self) {
        let (mut failures, mut is_stale) = (Failures::default(), false);
        loop {
            let wait = async {
                match failures.retry_at() {
                    Some(when) => time::sleep_until(when.into()).await,
                    None => {
                        time::sleep(BREATH).await;
                        if !is_stale {
                            self.changes.changed().await;
                        }
                    }
                }
            };
            if unless_closed(&mut self.closing, wait).await.is_none() {
                return;
            }
            let Some(pool) = self.pool.upgrade().map(Pool) else { return };
            match unless_closed(&mut self.closing, pool.read_store(&mut self.seen)).await {
                Some(Ok(is_done)) => {
                    failures.clear();
                    is_stale = !is_done;
                }
                Some(Err(error)) => failures.add(&pool, &error),
                None => return,
            }
        }
    }
}

/// Waits for `future`, or until the pool is shut down or dropped.
pub(in crate::pool) async fn unless_closed<T>(
    closing: &mut watch::Receiver<bool>,
    wait: impl Future<Output = T>,
) -> Option<T> {
    let (mut closed, mut wait) = (pin!(closing.wait_for(|closing| *closing)), pin!(wait));
    poll_fn(|cx| {
        if closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        wait.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The failures of a store in a row: they are reported once, and the pause between attempts grows.
#[derive(Debug, Default)]
pub(in crate::pool) struct Failures(Option<(Duration, Instant)>);

impl Failures {
    /// When to try again, if the last attempt failed.
    pub(in crate::pool) fn retry_at(&self) -> Option<Instant> {
        self.0.map(|(_, time)| time)
    }

    pub(in crate::pool) fn clear(&mut self) {
        self.0 = None;
    }

    pub(in crate::pool) fn add(&mut self, pool: &Pool, error: &BoxError) {
        let provider = &pool.0.provider;
        tracing::warn!(target: "oauth_marathon", %provider, %error, "the store of a pool failed; it is tried again");
        if self.0.is_none() {
            pool.0.events.emit(|| Event::StoreFailed {
                provider: provider.clone(),
                credential: None,
                message: error.to_string().into(),
            });
        }
        let pause = self.0.map_or(FIRST_PAUSE, |(pause, _)| (pause * 2).min(LONGEST_PAUSE));
        self.0 = Some((pause, clock::now() + pause));
    }
}

impl Pool {
    /// Reads the store, and takes over what has changed. `false` if this pool has written during each reading: then the
    /// store has to be read again after a while.
    async fn read_store(&self, seen: &mut LastRead) -> Result<bool, BoxError> {
        for _ in 0..READS {
            let writes = self.state().store_writes();
            let found = self.load_all().await?;
            // A reading that began before a write of this pool is older than what the pool holds.
            if self.state().store_writes() == writes {
                self.take_in(seen, found)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the pool what its store holds. A malformed credential is left as it is in the pool, and becomes the error.
    pub(in crate::pool) fn take_in(&self, seen: &mut LastRead, found: Vec<Entry>) -> Result<(), Error> {
        let mut failed = None;
        let (mut events, mut gone) = (Vec::new(), Vec::new());
        let moment = self.0.moment();
        let mut state = self.state();
        events.extend(self.0.events_of(state.join(moment.now)));
        let order: Vec<_> = found.iter().map(|entry| entry.record.credential.id.clone()).collect();
        for id in state.gone_from_store(&order) {
            gone.push(state.remove(id.as_str()));
            seen.health.remove(&id);
        }
        for entry in found {
            if let Err(error) = self.take_record(&mut state, seen, entry.record, moment, &mut events) {
                failed = Some(error);
            }
        }
        if seen.order_differs(&order) {
            state.put_in_order(&order);
        }
        seen.order = order;
        self.reset_active(&state);
        self.unlock(state);
        for event in events {
            self.0.events.emit(|| event);
        }
        failed.map_or(Ok(()), Err)
    }

    pub(in crate::pool) fn take_in_one(&self, seen: &mut LastRead, entry: Entry) -> Result<(), Error> {
        let moment = self.0.moment();
        let mut state = self.state();
        seen.order.push(entry.record.credential.id.clone());
        let taken = self.take_record(&mut state, seen, entry.record, moment, &mut Vec::new());
        self.reset_active(&state);
        taken
    }

    fn take_record(
        &self,
        state: &mut State,
        seen: &mut LastRead,
        record: Record,
        moment: Moment,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        if state.is_unsaved(&record.credential.id) {
            // The task that writes brings the two together.
            return Ok(());
        }
        self.take_changed(state, seen, record, moment, events)
    }

    /// Takes over one record, even if the pool has an unstored change of it.
    pub(in crate::pool) fn take_changed(
        &self,
        state: &mut State,
        seen: &mut LastRead,
        record: Record,
        moment: Moment,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        let id = record.credential.id.clone();
        let health = record.health.clone();
        let place = match state.place_of(id.as_str()) {
            Some(place) => {
                self.take_secret(state, place, record, moment, events)?;
                place
            }
            None => {
                seen.health.remove(&id);
                self.0.insert(state, record.credential, Arrival::Stored(record.generation), moment)?
            }
        };
        let was = seen.health.insert(id, health.clone()).unwrap_or_default();
        let effects = state.take_over(place, &self.0.settings, &was, &health, moment);
        events.extend(self.0.events_of(effects));
        Ok(())
    }

    /// Takes over a newer secret, or the same secret with another label, header or generation.
    fn take_secret(
        &self,
        state: &mut State,
        place: u32,
        record: Record,
        moment: Moment,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        let Some(slot) = state.learn_stored(place, &record) else { return Ok(()) };
        let Record { credential, generation, .. } = record;
        let access = Arc::new(self.0.prepare(&credential, slot.clone(), generation, moment)?);
        if state.take_record(place, credential, access) {
            events.push(self.0.refreshed(&slot, generation));
        }
        Ok(())
    }
}

impl LastRead {
    /// Whether the store has another order: more than removals, and new credentials at the end.
    fn order_differs(&self, order: &[CredentialId]) -> bool {
        let (before, now): (HashSet<_>, HashSet<_>) = (self.order.iter().collect(), order.iter().collect());
        let stays = self.order.iter().filter(|id| now.contains(id));
        let new = order.iter().filter(|id| !before.contains(id));
        !stays.chain(new).eq(order)
    }
}
