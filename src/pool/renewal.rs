//! Replacing a token: one refresh per credential at a time, shared by all who wait, in a task that outlives them.

use std::sync::Arc;
use std::time::Instant;

use super::access::Slot;
use super::cooldown::refresh_failed;
use super::exchange::{Exchange, RENEWING};
use super::failure::{Failure, LEASE_PATIENCE, Why};
use super::handle::{Inner, Pool, account};
use super::renewing::{Need, Renewal};
use super::rest::Rest;
use super::saver::Counted;
use super::state::State;
use crate::account::Credential;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::notify::Event;
use crate::refresh::RefreshError;
use crate::refresh::across::Held;
use crate::store::{Record, StoreKey};
use crate::sync::{Handle, oneshot};
use crate::token::Generation;
use crate::verdict::Kind;

impl Pool {
    /// Joins the refresh of a credential, or starts it.
    pub(crate) fn renew(&self, place: u32) -> Result<oneshot::Receiver<Renewal>, Error> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.closed {
            return Err(self.0.closed());
        }
        let Some(entry) = state.entry_mut(place) else { return Ok(receiver) };
        if RENEWING.try_with(|slot| Arc::ptr_eq(slot, &entry.access.slot)).unwrap_or(false) {
            return Err(Error::new(
                ErrorKind::Refresh,
                format!(
                    "the token source of {:?} sends its own request through the stack that waits for it; give it a plain HTTP client",
                    entry.credential.id
                ),
            ));
        }
        if let Some(waiting) = &mut entry.renewing.waiting {
            waiting.retain(|waiter| !waiter.is_closed());
            waiting.push(sender);
            return Ok(receiver);
        }
        let runtime = Handle::try_current()
            .map_err(|source| Error::new(ErrorKind::Refresh, "a refresh needs a tokio runtime").with_source(source))?;
        if entry.credential.material.tokens().is_none() {
            return Ok(receiver);
        }
        entry.renewing.waiting = Some(vec![sender]);
        let slot = entry.access.slot.clone();
        let exchange = Exchange {
            key: StoreKey::new(self.0.provider.clone(), slot.id.clone()),
            held: Held {
                credential: entry.credential.clone(),
                generation: entry.access.generation,
                is_stored: false,
                follows: self.0.follows,
                insists: false,
                begun: None,
            },
            slot: slot.clone(),
            custody: entry.custody.clone(),
        };
        let generation = entry.access.generation;
        drop(state);
        // Spawned after the lock is released: a runtime that is shutting down drops the task at once, and with it the guard.
        let counted = Counted::new(&self.0.refreshing);
        let ticket = Ticket { pool: self.clone(), slot, generation, result: None, _counted: counted };
        runtime.spawn(async move {
            let mut ticket = ticket;
            let slot = ticket.slot.clone();
            let pool = ticket.pool.clone();
            ticket.result = Some(RENEWING.scope(slot.clone(), pool.0.exchange(exchange)).await);
        });
        Ok(receiver)
    }

    /// Ends a refresh: publishes the new token or the failure, and tells those who wait.
    fn renewed(&self, slot: &Arc<Slot>, old: Generation, result: Result<Option<Record>, Failure>) {
        let now = clock::now();
        let mut state = self.state();
        let mut events: Vec<_> = self.0.events_of(state.join(now)).collect();
        let entry = state.owner(slot);
        // What becomes of an old token says nothing about one that a person has put in meanwhile.
        let overtaken = entry.as_ref().is_some_and(|entry| entry.access.generation != old);
        let waiting = entry.and_then(|entry| entry.renewing.waiting.take());
        let published = match result {
            Ok(Some(stored)) => self.publish(&mut state, slot, stored),
            Ok(None) => Ok(self.removed_elsewhere(&mut state, slot, overtaken)),
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
        self.reset_active(&state);
        self.unlock(state);
        for waiter in waiting.into_iter().flatten() {
            // One that has gone away needs no answer.
            let _ = waiter.send(answer.clone());
        }
        for event in events {
            self.0.events.emit(|| event);
        }
    }

    fn publish(&self, state: &mut State, slot: &Arc<Slot>, stored: Record) -> Result<Option<Event>, Failure> {
        // A removal wins over a refresh, and so does a token that a person has put in meanwhile.
        let current = state.owner(slot).filter(|entry| entry.access.generation < stored.generation);
        let Some(entry) = current else { return Ok(None) };
        // What the pool was told meanwhile of how the credential is sent stays.
        let credential = match self.0.follows {
            true => stored.credential,
            false => Credential { material: stored.credential.material, ..entry.credential.clone() },
        };
        let prepared = self.0.prepare(&credential, slot.clone(), stored.generation);
        let access = prepared.map_err(|error| RefreshError::transient(error.to_string()))?;
        state.renew(slot.place, credential, Arc::new(access));
        Ok(Some(self.0.refreshed(slot, stored.generation)))
    }

    /// The store does not hold the credential any more: a removal wins over a refresh.
    fn removed_elsewhere(&self, state: &mut State, slot: &Arc<Slot>, overtaken: bool) -> Option<Event> {
        if !overtaken && state.owner(slot).is_some() {
            tracing::info!(target: "oauth_marathon", credential = %slot.id, "the store does not hold a credential any more; it is removed");
            state.remove(slot.id.as_str());
        }
        None
    }

    /// A failed early refresh leaves a valid token in use. Otherwise the credential rests, or needs a login.
    fn hold_against(
        &self,
        state: &mut State,
        slot: &Arc<Slot>,
        failure: &Failure,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(entry) = state.owner(slot) else { return };
        let valid = matches!(entry.renewing.need(&entry.access, now), Need::Nothing | Need::Renewal { valid: true });
        let Failure { error, why } = failure;
        entry.renewing.failed(*why, now);
        let rest = match (*why, valid) {
            (Why::Login(reason), true) => {
                entry.renewing.told = true;
                events.push(self.0.login_needed(slot, reason));
                return;
            }
            (Why::Login(reason), false) => {
                let effects = state.take_out(slot.place, reason, now);
                return events.extend(self.0.events_of(effects));
            }
            // Others are about to have a new token, for all.
            (Why::Busy, true) => return,
            (Why::Busy, false) => LEASE_PATIENCE,
            (Why::ForNow, _) => refresh_failed(&self.0.settings, error.retry_after()),
        };
        events.push(self.0.refresh_failed(slot, &error.to_string()));
        if !valid {
            let rest =
                Rest { cause: Kind::Unauthorized, model: None, length: rest, guessed: true, jitter: fastrand::f64 };
            let effects = state.rest(slot.place, rest, now);
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

/// Ends the refresh even if its task is dropped with the runtime.
struct Ticket {
    pool: Pool,
    slot: Arc<Slot>,
    /// Of the token that is being replaced.
    generation: Generation,
    result: Option<Result<Option<Record>, Failure>>,
    /// Given back after the refresh has ended.
    _counted: Counted,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let result =
            self.result.take().unwrap_or_else(|| Err(RefreshError::transient("the refresh was cut short").into()));
        self.pool.renewed(&self.slot, self.generation, result);
    }
}
