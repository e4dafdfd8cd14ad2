//! Refreshes a token: one refresh for each credential at a time, shared by all waiters, in a task that outlives them.
//!
//! This room may start tasks, call the token source and the store, and wait. It changes the pool only through transitions of
//! `state`, and never holds the pool's lock across an await. The steps with the store and the token endpoint are in
//! `tokens::refresh::across`, which programs without a pool use too; here they get a task, an end that is published even if the task is
//! dropped (`Ticket`), and a place in memory for a token that could not be stored (`saver`). It is not one await in the
//! request, because a caller may go away at any time, and a refresh token may be spent only once: a new token must not get
//! lost between the answer and the store.

pub(super) mod exchange;
mod failure;
mod on_demand;
pub(super) mod saver;

use std::sync::Arc;

use self::exchange::{Refreshing, is_refreshed_by_this_task};
use self::failure::NoToken;
use self::saver::Counted;
use super::handle::{Inner, Pool, account};
use super::prepared::Slot;
use super::record_turn::Pending;
use super::state::{BegunRefresh, Moment, Published, RefreshOutcome, State};
use crate::credentials::Generation;
use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::store::Record;
use crate::sync::{Handle, OwnedMutexGuard, oneshot};
use crate::tokens::refresh::RefreshError;

impl Pool {
    /// Starts the refresh of a credential in the background, unless one is under way.
    pub(super) fn start_refresh(&self, place: u32) -> Result<(), Error> {
        let mut state = self.state();
        if state.is_closed() {
            return Err(self.0.closed());
        }
        let begun = self.join_refresh(&mut state, place, None);
        drop(state);
        begun?.into_iter().for_each(Ticket::start);
        Ok(())
    }

    /// Joins the refresh of a credential, or begins one. The caller has found, under the same lock, that one is needed.
    /// The ticket stands for a refresh that begins; it is absent if one was under way.
    pub(super) fn join_refresh(
        &self,
        state: &mut State,
        place: u32,
        waiter: Option<oneshot::Sender<RefreshOutcome>>,
    ) -> Result<Option<Ticket>, Error> {
        let Some(entry) = state.entry(place) else { return Ok(None) };
        if waiter.is_some() && is_refreshed_by_this_task(&entry.access().slot) {
            return Err(Error::new(
                ErrorKind::Refresh,
                format!(
                    "the token source of {:?} sends its own request through the stack that waits for it; give it a plain HTTP client",
                    entry.credential().id
                ),
            ));
        }
        if entry.is_refreshing() {
            let _joined = state.join_refresh(place, waiter);
            return Ok(None);
        }
        let runtime = Handle::try_current()
            .map_err(|source| Error::new(ErrorKind::Refresh, "a refresh needs a tokio runtime").with_source(source))?;
        let begun = state.join_refresh(place, waiter);
        Ok(begun.map(|begun| Ticket {
            pool: self.clone(),
            begun,
            insists: false,
            result: None,
            runtime,
            turn: None,
            _counted: Counted::new(&self.0.refreshing),
        }))
    }

    /// Ends a refresh: publishes the new token or the failure, and wakes the waiters.
    fn end_refresh(&self, slot: &Arc<Slot>, replaces: Generation, result: Result<Option<Record>, NoToken>) {
        let moment = self.0.moment();
        let now = moment.now;
        let mut gone = None;
        let mut state = self.state();
        let mut events: Vec<_> = self.0.events_of(state.join(now)).collect();
        let (waiting, is_overtaken) = state.end_refresh(slot, replaces);
        let published = match result {
            Ok(Some(stored)) => self.publish(&mut state, slot, stored, moment),
            // The store does not hold the credential any more.
            Ok(None) => {
                gone = state.remove_refreshed(slot, is_overtaken);
                Ok(None)
            }
            Err(failure) => Err(failure),
        };
        let answer = match published {
            Ok(event) => {
                events.extend(event);
                Ok(())
            }
            Err(_) if is_overtaken => Ok(()),
            Err(NoToken { error, why }) => {
                let stated = error.retry_after();
                let (is_news, effects) = state.refresh_failed(slot, why, stated, &self.0.settings, now);
                events.extend(is_news.then(|| self.0.refresh_failed(slot, &error.to_string())));
                events.extend(self.0.events_of(effects));
                Err(error)
            }
        };
        let removed = state.forget_removed(&slot.id);
        self.reset_active(&state);
        self.unlock(state);
        if gone.is_some() {
            tracing::info!(target: "oauth_marathon", credential = %slot.id, "the store does not hold a credential any more; it is removed");
        }
        drop((gone, removed));
        for waiter in waiting {
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
    ) -> Result<Option<Event>, NoToken> {
        let Self(inner) = self;
        let (generation, settings) = (stored.generation, &inner.settings);
        let Some(credential) = state.learn_refreshed(slot, stored, inner.follows, settings, moment.now) else {
            return Ok(None);
        };
        let prepared = inner.prepare(&credential, slot.clone(), generation, moment);
        // The next exchange would most probably bring another token that cannot be sent.
        let refused = |message: String| NoToken::from(RefreshError::transient(message)).refused(true);
        let access = prepared.map_err(|error| refused(error.to_string()))?;
        match state.publish(slot, credential, Arc::new(access), settings, moment.now) {
            Published::Replaced => Ok(Some(inner.refreshed(slot, generation))),
            Published::Same => Ok(None),
            Published::SameAndUseless => {
                Err(refused("the token endpoint has handed out the expired token once more".to_owned()))
            }
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

/// A refresh that has begun. Dropping it publishes its end, so that waiters are woken even if its task never starts or
/// is dropped with the runtime. It must not be dropped under the pool's lock.
pub(super) struct Ticket {
    pool: Pool,
    begun: BegunRefresh,
    /// A refresh token that is known to be refused is sent again.
    insists: bool,
    result: Option<Result<Option<Record>, NoToken>>,
    runtime: Handle,
    /// The turn on the credential's record. It is released after the outcome is published, so that no other writer stores the
    /// old token.
    turn: Option<OwnedMutexGuard<Pending>>,
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
        let BegunRefresh { slot, record_turn, replaces } = &mut self.begun;
        let pending = self.turn.insert(record_turn.take().await);
        let exchange = self.pool.exchange(slot, replaces, record_turn, pending, self.insists);
        self.result = Some(Refreshing::new(slot, record_turn).scope(exchange).await);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let result =
            self.result.take().unwrap_or_else(|| Err(RefreshError::transient("the refresh was cut short").into()));
        self.pool.end_refresh(&self.begun.slot, self.begun.replaces, result);
    }
}
