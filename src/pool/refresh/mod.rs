//! Refreshes a token: one refresh for each credential at a time, shared by all waiters, in a task that outlives them.
//!
//! This room may start tasks, call the token source and the store, and wait. It changes the pool only through transitions of
//! `state`, and never holds the pool's lock across an await. The steps with the store and the token endpoint are in
//! `tokens::refresh::across`, which programs without a pool use too; here they get a task, an end that is published even if the task is
//! dropped (`Ticket`), and a place in memory for a token that could not be stored (`saver`). It is not one await in the
//! request, because a caller may go away at any time, and a refresh token may be spent only once: a new token must not get
//! lost between the answer and the store.

pub(super) mod exchange;
pub(super) mod failure;
mod on_demand;
pub(super) mod record_turn;
pub(super) mod saver;

use std::sync::Arc;
use std::time::Instant;

use super::handle::{Inner, Pool, account};
use super::prepared::Slot;
use super::refresh::exchange::{Refreshing, is_refreshed_by_this_task};
use super::refresh::failure::{Failure, Why};
use super::refresh::record_turn::{Kept, RecordTurn};
use super::refresh::saver::Counted;
use super::state::cool::NewCooldown;
use super::state::refresh_state::{Need, RefreshOutcome};
use super::state::stored::Moment;
use super::state::{Entry, State};
use crate::credentials::Credential;
use crate::credentials::Generation;
use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::store::Record;
use crate::sync::{Handle, OwnedMutexGuard, oneshot};
use crate::tokens::refresh::RefreshError;
use crate::tokens::refresh::across::{Known, Newer, newer};
use crate::verdict::Kind;

impl Pool {
    /// Starts the refresh of a credential in the background, unless one is under way.
    pub(super) fn start_refresh(&self, place: u32) -> Result<(), Error> {
        let mut state = self.state();
        if state.closed {
            return Err(self.0.closed());
        }
        let begun = self.join_refresh(&mut state, place, None);
        drop(state);
        begun?.into_iter().for_each(Ticket::start);
        Ok(())
    }

    /// Joins the refresh of a credential, or begins one. The caller has seen, under the same lock, that it needs one. The
    /// ticket is the refresh that begins, if none was under way.
    pub(super) fn join_refresh(
        &self,
        state: &mut State,
        place: u32,
        waiter: Option<oneshot::Sender<RefreshOutcome>>,
    ) -> Result<Option<Ticket>, Error> {
        let Some(entry) = state.entry_mut(place) else { return Ok(None) };
        let waits = waiter.is_some();
        if waits && is_refreshed_by_this_task(&entry.access.slot) {
            return Err(Error::new(
                ErrorKind::Refresh,
                format!(
                    "the token source of {:?} sends its own request through the stack that waits for it; give it a plain HTTP client",
                    entry.credential.id
                ),
            ));
        }
        if entry.refreshing.is_under_way() {
            entry.refreshing.join(waiter);
            return Ok(None);
        }
        let runtime = Handle::try_current()
            .map_err(|source| Error::new(ErrorKind::Refresh, "a refresh needs a tokio runtime").with_source(source))?;
        entry.refreshing.join(waiter);
        Ok(Some(Ticket {
            pool: self.clone(),
            slot: entry.access.slot.clone(),
            record_turn: entry.record_turn.clone(),
            replaces: entry.access.generation,
            insists: false,
            result: None,
            runtime,
            kept: None,
            _counted: Counted::new(&self.0.refreshing),
        }))
    }

    /// Ends a refresh: publishes the new token or the failure, and wakes the waiters.
    fn end_refresh(&self, slot: &Arc<Slot>, old: Generation, result: Result<Option<Record>, Failure>) {
        let moment = self.0.moment();
        let now = moment.now;
        let mut gone = None;
        let mut state = self.state();
        let mut events: Vec<_> = self.0.events_of(state.join(now)).collect();
        let entry = state.owner(slot);
        // The outcome for an old token says nothing about one that a person has put in meanwhile.
        let overtaken = entry.as_ref().is_some_and(|entry| entry.access.generation != old);
        let waiting = entry.and_then(|entry| entry.refreshing.waiting.take());
        let published = match result {
            Ok(Some(stored)) => self.publish(&mut state, slot, stored, moment),
            Ok(None) => {
                gone = self.removed_elsewhere(&mut state, slot, overtaken);
                Ok(None)
            }
            Err(failure) => Err(failure),
        };
        let answer = match published {
            Ok(event) => {
                events.extend(event);
                Ok(())
            }
            Err(_) if overtaken => Ok(()),
            Err(failure) => {
                self.hold_against(&mut state, slot, &failure, now, &mut events);
                Err(failure.error)
            }
        };
        let removed = state.forget_removed(&slot.id);
        self.reset_active(&state);
        self.unlock(state);
        drop((gone, removed));
        for waiter in waiting.into_iter().flatten() {
            // A waiter that has gone away needs no answer.
            let _ = waiter.send(answer.clone());
        }
        for event in events {
            self.0.events.emit(|| event);
        }
    }

    fn publish(
        &self,
        state: &mut State,
        slot: &Arc<Slot>,
        stored: Record,
        moment: Moment,
    ) -> Result<Option<Event>, Failure> {
        let is_changed = state.outbox.is_changed(&slot.id);
        // A removal wins over a refresh, and so does a token that a person has put in meanwhile.
        let Some(entry) = state.owner(slot) else { return Ok(None) };
        let newer = newer(&entry.known, &entry.credential.material, &stored);
        if newer == Newer::Ours {
            return Ok(None);
        }
        if newer == Newer::Same && entry.access.generation == stored.generation {
            self.pause_if_early(state, slot, moment.now);
            return Ok(None);
        }
        // A label, header or base URL that was changed in the pool meanwhile stays.
        let is_whole = self.0.follows && (entry.known.is_addition() || !is_changed);
        let credential = match is_whole {
            true => stored.credential,
            false => Credential { material: stored.credential.material, ..entry.credential.clone() },
        };
        let prepared = self.0.prepare(&credential, slot.clone(), stored.generation, moment);
        // The next exchange would most probably bring another token that cannot be sent.
        let unusable = |error: Error| Failure::from(RefreshError::transient(error.to_string())).refused(true);
        let access = prepared.map_err(unusable)?;
        entry.known = Known::stored(stored.generation);
        if newer == Newer::Same {
            state.relabel(slot.place, credential, Arc::new(access));
            return self.same_again(state, slot, moment.now);
        }
        state.replace_secret(slot.place, credential, Arc::new(access));
        Ok(Some(self.0.refreshed(slot, stored.generation)))
    }

    /// The token endpoint has handed out the token that was to be replaced: it has no other for now. One that is valid stays
    /// in use, also if the provider has refused it once.
    fn same_again(&self, state: &mut State, slot: &Arc<Slot>, now: Instant) -> Result<Option<Event>, Failure> {
        let Some(entry) = state.owner(slot) else { return Ok(None) };
        entry.refreshing.forced = false;
        if entry.refreshing.need(&entry.access, now) == (Need::Refresh { valid: false }) {
            let error = RefreshError::transient("the token endpoint has handed out the expired token once more");
            return Err(Failure::from(error).refused(true));
        }
        self.pause_if_early(state, slot, now);
        Ok(None)
    }

    /// Where the token that a refresh has brought is to be replaced already, the token endpoint is asked after a pause.
    fn pause_if_early(&self, state: &mut State, slot: &Arc<Slot>, now: Instant) {
        let Some(entry) = state.owner(slot) else { return };
        if entry.refreshing.need(&entry.access, now) == (Need::Refresh { valid: true }) {
            entry.refreshing.failed(Why::Refused, None, &self.0.settings, now);
        }
    }

    /// The store does not hold the credential any more: a removal wins over a refresh.
    fn removed_elsewhere(&self, state: &mut State, slot: &Arc<Slot>, overtaken: bool) -> Option<Entry> {
        if overtaken || state.owner(slot).is_none() {
            return None;
        }
        tracing::info!(target: "oauth_marathon", credential = %slot.id, "the store does not hold a credential any more; it is removed");
        state.remove(slot.id.as_str())
    }

    /// Applies a failed refresh. A token that is still valid stays in use; otherwise the credential cools, or is out until a
    /// person logs in.
    fn hold_against(
        &self,
        state: &mut State,
        slot: &Arc<Slot>,
        failure: &Failure,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(entry) = state.owner(slot) else { return };
        let valid = matches!(entry.refreshing.need(&entry.access, now), Need::Nothing | Need::Refresh { valid: true });
        let Failure { error, why } = failure;
        let pause = entry.refreshing.failed(*why, error.retry_after(), &self.0.settings, now);
        match (*why, valid) {
            (Why::Login(reason), true) => {
                entry.refreshing.told = true;
                return events.push(self.0.out_event(slot, reason));
            }
            (Why::Login(reason), false) => {
                let effects = state.take_out(slot.place, reason, now);
                return events.extend(self.0.events_of(effects));
            }
            // Another process is about to store a new token for all.
            (Why::Busy, true) => return,
            (Why::Busy, false) | (Why::ForNow | Why::Refused, _) => {}
        }
        events.push(self.0.refresh_failed(slot, &error.to_string()));
        if !valid {
            let guessed = error.retry_after().is_none();
            let cooldown =
                NewCooldown { cause: Kind::Unauthorized, model: None, length: pause, guessed, jitter: fastrand::f64 };
            let effects = state.cool(slot.place, cooldown, now);
            events.extend(self.0.events_of(effects));
        }
    }
}

impl Inner {
    pub(super) fn refreshed(&self, slot: &Slot, generation: Generation) -> Event {
        Event::Refreshed { provider: self.provider.clone(), credential: account(slot), generation }
    }

    fn refresh_failed(&self, slot: &Slot, message: &str) -> Event {
        Event::RefreshFailed { provider: self.provider.clone(), credential: account(slot), message: message.into() }
    }
}

/// A refresh that has begun. Dropping it publishes its end, so that it ends even if its task never starts or is dropped with
/// the runtime. It must not be dropped under the pool's lock.
pub(super) struct Ticket {
    pool: Pool,
    slot: Arc<Slot>,
    record_turn: Arc<RecordTurn>,
    /// The generation of the token that is being refreshed.
    replaces: Generation,
    /// A refresh token that is known to be refused is sent again.
    insists: bool,
    result: Option<Result<Option<Record>, Failure>>,
    runtime: Handle,
    /// Released after the outcome is published, so that no other writer stores the old token.
    kept: Option<OwnedMutexGuard<Kept>>,
    /// Released last: a shutdown waits for it.
    _counted: Counted,
}

impl Ticket {
    /// Starts the task. Call it without the pool's lock: a runtime that is shutting down drops the task, and the ticket, at
    /// once.
    pub(super) fn start(self) {
        let runtime = self.runtime.clone();
        runtime.spawn(self.run());
    }

    async fn run(mut self) {
        let kept = self.kept.insert(self.record_turn.kept().await);
        let exchange = self.pool.exchange(&self.slot, &mut self.replaces, &self.record_turn, kept, self.insists);
        self.result = Some(Refreshing::new(&self.slot, &self.record_turn).scope(exchange).await);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let result =
            self.result.take().unwrap_or_else(|| Err(RefreshError::transient("the refresh was cut short").into()));
        self.pool.end_refresh(&self.slot, self.replaces, result);
    }
}
