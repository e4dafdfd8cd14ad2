//! One refresh for the pool: takes the store lease, calls the token source, and keeps a token that could not be stored.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::failure::NoToken;
use crate::clock;
use crate::credentials::{Generation, TokenSet};
use crate::error::BoxError;
use crate::events::Event;
use crate::pool::handle::{Inner, Pool, account};
use crate::pool::prepared::Slot;
use crate::pool::record_turn::{Pending, RecordTurn};
use crate::pool::state::{LEASE_PATIENCE, WhyNoToken};
use crate::store::{Record, StoreKey, StoreLease};
use crate::sync::atomic::AtomicBool;
use crate::sync::{spawn, task_local, time};
use crate::tokens::refresh::across::{Ended, Refresh, RefreshNews, StoreRelation, Times, Unstored, lease};
use crate::tokens::refresh::{RefreshError, RefreshRequest};

task_local! {
    /// The refresh that runs in this task. The task must not wait for it.
    static REFRESHING: Refreshing;
}

/// A credential that is being refreshed, and the turn that the refresh holds.
#[derive(Clone)]
pub(in crate::pool) struct Refreshing {
    slot: Arc<Slot>,
    record_turn: Arc<RecordTurn>,
}

impl Refreshing {
    pub(in crate::pool) fn new(slot: &Arc<Slot>, record_turn: &Arc<RecordTurn>) -> Self {
        Self { slot: slot.clone(), record_turn: record_turn.clone() }
    }

    /// Runs `part` of the refresh, which then knows that it belongs to it.
    pub(in crate::pool) async fn scope<T>(self, part: impl Future<Output = T>) -> T {
        REFRESHING.scope(self, part).await
    }
}

/// Whether this task runs within the refresh of that credential.
pub(in crate::pool) fn is_refreshed_by_this_task(slot: &Arc<Slot>) -> bool {
    REFRESHING.try_with(|refreshing| Arc::ptr_eq(&refreshing.slot, slot)).unwrap_or(false)
}

/// Whether this task runs within a refresh that holds this turn.
pub(in crate::pool) fn is_turn_of_this_task(record_turn: &Arc<RecordTurn>) -> bool {
    REFRESHING.try_with(|refreshing| Arc::ptr_eq(&refreshing.record_turn, record_turn)).unwrap_or(false)
}

impl Pool {
    /// Refreshes the token of a credential; `replaces` becomes the generation that it started from. With `insists`, a
    /// refresh token that is known to be refused is sent again. `None` if there is nothing to publish: the store no
    /// longer holds the credential, or its token has been replaced meanwhile.
    pub(super) async fn exchange(
        &self,
        slot: &Arc<Slot>,
        replaces: &mut Generation,
        record_turn: &Arc<RecordTurn>,
        pending: &mut Pending,
        insists: bool,
    ) -> Result<Option<Record>, NoToken> {
        let Self(inner) = self;
        if inner.source.is_none() {
            return Err(RefreshError::misconfigured("the pool has no token source").into());
        }
        let key = StoreKey::new(inner.provider.clone(), slot.id.clone());
        // While a new token is not stored, this pool still holds its store lease.
        let lease = match pending.unsaved {
            Some(_) => None,
            None => Some(inner.lease(&key).await?),
        };
        // The token may have been replaced during the wait for the lease.
        let held = self.state().held_for_refresh(slot, *replaces, inner.follows, clock::now());
        let Some(mut held) = held else { return Ok(None) };
        *replaces = held.generation;
        held.begun = pending.begun.clone();
        held.insists = insists;
        if let Some(unsaved) = pending.unsaved.as_ref().filter(|_| !held.relation.is_put_in()) {
            // The refresh token in the store is spent. One that a person has put in there is not.
            held.credential.material = unsaved.credential.material.clone();
            held.generation = held.generation.max(unsaved.generation);
            held.relation = StoreRelation::stored(unsaved.generation);
        }
        let times = Times { exchange: inner.settings.exchange_timeout, patience: LEASE_PATIENCE };
        let refresh = Refresh { store: &*inner.store, key: &key, wall: &*inner.wall, held: &held, times };
        let mut told = |told: RefreshNews<'_>| match told {
            RefreshNews::Stored(record) => self.state().has_held(record_turn, record),
            RefreshNews::Begun(intent) => pending.begun = Some(intent.clone()),
            RefreshNews::UnderWay(intent) => {
                tracing::debug!(target: "oauth_marathon", credential = %slot.id, process = %intent.process, "another process may be refreshing it; waiting for the other process");
            }
            RefreshNews::Interrupted(intent) => {
                tracing::info!(target: "oauth_marathon", credential = %slot.id, process = %intent.process, "an earlier refresh has no known end; its refresh token is sent once more");
            }
        };
        let refused = AtomicBool::new(false);
        let refreshing = Refreshing::new(slot, record_turn);
        let ended = refresh
            .run(|request, left| inner.ask(refreshing.clone(), request, (left, times), &refused), &mut told)
            .await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(mut failure) => {
                if let Some(unstored) = failure.unstored.take() {
                    inner.tell_unstored(slot, &unstored.error);
                    inner.keep_trying(key, record_turn, pending, unstored.record, lease);
                }
                return Err(NoToken::from(failure).refused(refused.load(Relaxed)));
            }
        };
        match ended {
            Ended::New(record) | Ended::Adopted(record) => {
                pending.clear();
                Ok(Some(record))
            }
            Ended::Removed => {
                pending.clear();
                Ok(None)
            }
            Ended::Unstored(Unstored { record, error }) => {
                inner.tell_unstored(slot, &error);
                inner.keep_trying(key, record_turn, pending, record.clone(), lease);
                Ok(Some(record))
            }
        }
    }
}

impl Inner {
    fn tell_unstored(&self, slot: &Slot, error: &BoxError) {
        tracing::error!(target: "oauth_marathon", credential = %slot.id, %error, "a refreshed token could not be stored; it is kept in memory, and stored again soon");
        self.events.emit(|| Event::StoreFailed {
            provider: self.provider.clone(),
            credential: Some(account(slot)),
            message: error.to_string().into(),
        });
    }

    /// Calls the token source, within the time that is `left`. Sets `refused` if it was the server that refused.
    async fn ask(
        self: &Arc<Self>,
        refreshing: Refreshing,
        request: RefreshRequest,
        (left, times): (Duration, Times),
        refused: &AtomicBool,
    ) -> Result<TokenSet, RefreshError> {
        let Some(source) = self.source.clone() else {
            return Err(RefreshError::misconfigured("the pool has no token source"));
        };
        // It runs in a task of its own, so that a source that panics, hangs or blocks fails this refresh and nothing else.
        let mut exchange = spawn(refreshing.scope(async move { source.refresh(request).await }));
        // A source that keeps to the same limit needs a moment longer to hand over what has come until then.
        let last_word = times.last_word() / 2;
        let exchanged = match time::timeout(left.saturating_add(last_word), &mut exchange).await {
            Ok(exchanged) => exchanged,
            Err(_) => {
                exchange.abort();
                let limit = times.exchange.as_millis();
                let late = || format!("the token source has not answered within exchangeTimeoutMs ({limit} ms)");
                match time::timeout(last_word, exchange).await {
                    Ok(Ok(exchanged)) => Ok(exchanged),
                    _ => return Err(RefreshError::transient(late())),
                }
            }
        };
        let exchanged = exchanged.map_err(|_| RefreshError::transient("the token source panicked"))?;
        refused.store(exchanged.as_ref().is_err_and(|error| !error.is_unanswered()), Relaxed);
        exchanged
    }

    async fn lease(&self, key: &StoreKey) -> Result<StoreLease, NoToken> {
        let failed = |source: BoxError| {
            let message = format!("the refresh was not begun, as the token store gives out no lease: {source}");
            RefreshError::transient(message).with_source(source)
        };
        lease(&*self.store, key, LEASE_PATIENCE).await.map_err(failed)?.ok_or_else(|| {
            let seconds = LEASE_PATIENCE.as_secs();
            let message = format!("another process refreshes it, and has not ended within {seconds} s");
            NoToken { error: RefreshError::transient(message).with_retry_after(LEASE_PATIENCE), why: WhyNoToken::Busy }
        })
    }
}
