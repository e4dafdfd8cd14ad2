//! Replacing a token: one refresh per credential at a time, shared by all who wait, in a task that outlives them.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::access::{Slot, is_sendable};
use super::cooldown::refresh_failed;
use super::handle::{Inner, Pool, account};
use super::renewing::{Need, Renewal};
use super::rest::Rest;
use super::state::State;
use crate::account::{Credential, CredentialId};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::notify::{Event, LoginReason};
use crate::refresh::{RefreshError, RefreshErrorKind, RefreshRequest};
use crate::store::{CasOutcome, Entry, Record, StoreKey};
use crate::token::Generation;
use crate::verdict::Kind;

/// How often a renewed token is offered to a store whose record others change at the same time.
const STORE_TRIES: usize = 16;

tokio::task_local! {
    /// The credential whose token this task is replacing: it cannot wait for itself.
    static RENEWING: Arc<Slot>;
}

impl Pool {
    /// Joins the refresh of a credential, or starts it.
    pub(crate) fn renew(&self, place: u32) -> Result<oneshot::Receiver<Renewal>, Error> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.closed {
            return Err(self.0.closed());
        }
        let key_of = |id: &CredentialId| StoreKey::new(self.0.provider.clone(), id.clone());
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
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|source| Error::new(ErrorKind::Refresh, "a refresh needs a tokio runtime").with_source(source))?;
        if entry.credential.material.tokens().is_none() {
            return Ok(receiver);
        }
        entry.renewing.waiting = Some(vec![sender]);
        let slot = entry.access.slot.clone();
        let exchange = Exchange {
            key: key_of(&slot.id),
            credential: entry.credential.clone(),
            generation: entry.access.generation,
        };
        self.0.refreshing.send_modify(|count| *count += 1);
        drop(state);
        // Spawned after the lock is released: a runtime that is shutting down drops the task at once, and with it the guard.
        let ticket = Ticket { pool: self.clone(), slot, generation: exchange.generation, result: None };
        runtime.spawn(async move {
            let mut ticket = ticket;
            let slot = ticket.slot.clone();
            let pool = ticket.pool.clone();
            ticket.result = Some(RENEWING.scope(slot.clone(), pool.0.exchange(slot, exchange)).await);
        });
        Ok(receiver)
    }

    /// Ends a refresh: publishes the new token or the failure, and tells those who wait.
    fn renewed(&self, slot: &Arc<Slot>, old: Generation, result: Result<Record, RefreshError>) {
        let now = clock::now();
        let mut state = self.state();
        let mut events: Vec<_> = self.0.events_of(state.join(now)).collect();
        let entry = state.owner(slot);
        // What becomes of an old token says nothing about one that a person has put in meanwhile.
        let overtaken = entry.as_ref().is_some_and(|entry| entry.access.generation != old);
        let waiting = entry.and_then(|entry| entry.renewing.waiting.take());
        let answer = match result.and_then(|stored| self.publish(&mut state, slot, stored)) {
            Ok(event) => {
                events.extend(event);
                Ok(())
            }
            Err(_) if overtaken => Ok(()),
            Err(error) => {
                self.hold_against(&mut state, slot, &error, now, &mut events);
                Err(error)
            }
        };
        self.reset_active(&state);
        drop(state);
        for waiter in waiting.into_iter().flatten() {
            // One that has gone away needs no answer.
            let _ = waiter.send(answer.clone());
        }
        for event in events {
            self.0.events.emit(|| event);
        }
        self.0.refreshing.send_modify(|count| *count = count.saturating_sub(1));
    }

    fn publish(&self, state: &mut State, slot: &Arc<Slot>, stored: Record) -> Result<Option<Event>, RefreshError> {
        // A removal wins over a refresh, and so does a token that a person has put in meanwhile.
        let current = state.owner(slot).filter(|entry| entry.access.generation < stored.generation);
        let Some(entry) = current else { return Ok(None) };
        let mut credential = entry.credential.clone();
        credential.material = stored.credential.material;
        let prepared = self.0.prepare(&credential, slot.clone(), stored.generation);
        let access = prepared.map_err(|error| RefreshError::transient(error.to_string()))?;
        state.renew(slot.place, credential, Arc::new(access));
        Ok(Some(self.0.refreshed(slot, stored.generation)))
    }

    /// A failed early refresh leaves a valid token in use. Otherwise the credential rests, or needs a login.
    fn hold_against(
        &self,
        state: &mut State,
        slot: &Arc<Slot>,
        error: &RefreshError,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(entry) = state.owner(slot) else { return };
        let valid = matches!(entry.renewing.need(&entry.access, now), Need::Nothing | Need::Renewal { valid: true });
        let lost = error.kind() == RefreshErrorKind::LoginNeeded;
        entry.renewing.failed(lost, now);
        if !lost {
            events.push(self.0.refresh_failed(slot, &error.to_string()));
        }
        let effects = match (valid, lost) {
            (true, false) => return,
            (true, true) => {
                entry.renewing.told = true;
                events.push(self.0.login_needed(slot, LoginReason::RefreshRefused));
                return;
            }
            (false, true) => state.take_out(slot.place, LoginReason::RefreshRefused, now),
            (false, false) => {
                let rest = refresh_failed(&self.0.settings, error.retry_after());
                state.rest(
                    slot.place,
                    Rest { cause: Kind::Unauthorized, model: None, length: rest, guessed: true, jitter: fastrand::f64 },
                    now,
                )
            }
        };
        events.extend(self.0.events_of(effects));
    }
}

/// What one refresh starts from.
struct Exchange {
    key: StoreKey,
    credential: Credential,
    generation: Generation,
}

impl Inner {
    /// Looks into the store again, exchanges the refresh token, and stores the new one before anybody uses it.
    async fn exchange(&self, slot: Arc<Slot>, exchange: Exchange) -> Result<Record, RefreshError> {
        let Exchange { key, mut credential, mut generation } = exchange;
        let unreadable = |source| RefreshError::transient("the token store could not be read").with_source(source);
        let stored = self.store.load(&key).await.map_err(unreadable)?;
        if let Some(newer) = stored.as_ref().filter(|stored| stored.record.generation > generation) {
            if is_sendable(newer.record.credential.material.token()) {
                return Ok(newer.record.clone());
            }
            // All that is of use is the refresh token that came with it.
            (credential.material, generation) = (newer.record.credential.material.clone(), newer.record.generation);
        }
        let Some(source) = self.source.clone() else {
            return Err(RefreshError::misconfigured("the pool has no token source"));
        };
        let Some(tokens) = credential.material.tokens().cloned() else {
            return Err(RefreshError::transient("the token store holds a key that cannot be sent"));
        };
        let request = RefreshRequest::new(self.provider.clone(), key.credential().clone(), tokens);
        // A task of its own, so that a token source that panics fails this refresh and nothing else.
        let exchanged = tokio::spawn(RENEWING.scope(slot, async move { source.refresh(request).await }));
        let tokens = exchanged.await.map_err(|_| RefreshError::transient("the token source panicked"))??;
        credential.material = tokens.issued(self.wall.now()).into();
        Ok(self.keep(&key, stored, Record::new(credential, generation.next())).await)
    }

    /// Stores a renewed credential, beside what others have changed of it meanwhile; returns what is to be used.
    async fn keep(&self, key: &StoreKey, mut held: Option<Entry>, mut next: Record) -> Record {
        for _ in 0..STORE_TRIES {
            if let Some(held) = &held {
                next.health = held.record.health.clone();
            }
            match self.store.compare_and_set(key, held.map(|held| held.revision), Some(next.clone())).await {
                Ok(CasOutcome::Conflict(Some(newer))) if newer.record.generation >= next.generation => {
                    return newer.record;
                }
                Ok(CasOutcome::Conflict(Some(found))) => held = Some(found),
                Ok(CasOutcome::Stored(entry)) => return entry.record,
                // It has been removed: that is not undone.
                Ok(CasOutcome::Conflict(None) | CasOutcome::Removed) => return next,
                Err(error) => {
                    // The old refresh token may be spent: the new one must not be lost with the store.
                    tracing::error!(target: "oauth_marathon", credential = %key.credential(), %error, "a refreshed token could not be stored; it is kept in memory");
                    return next;
                }
            }
        }
        tracing::error!(target: "oauth_marathon", credential = %key.credential(), "a refreshed token could not be stored, as its record changes all the time; it is kept in memory");
        next
    }

    fn refreshed(&self, slot: &Slot, generation: Generation) -> Event {
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
    result: Option<Result<Record, RefreshError>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(RefreshError::transient("the refresh was cut short")));
        self.pool.renewed(&self.slot, self.generation, result);
    }
}
