//! One refresh for the pool: what it starts from, who is asked, and what becomes of a token that could not be stored.

use std::sync::Arc;

use super::access::Slot;
use super::custody::Custody;
use super::failure::{Failure, LEASE_PATIENCE, Why};
use super::handle::{Inner, account};
use crate::error::BoxError;
use crate::notify::Event;
use crate::refresh::across::{Ended, Held, Times, Told, Turn, Unstored, lease};
use crate::refresh::{RefreshError, RefreshRequest};
use crate::store::{Record, StoreKey, StoreLease};
use crate::sync::{spawn, task_local};
use crate::token::TokenSet;

task_local! {
    /// The credential whose token this task is replacing: it cannot wait for itself.
    pub(super) static RENEWING: Arc<Slot>;
}

/// What a refresh starts from.
pub(super) struct Exchange {
    pub(super) key: StoreKey,
    pub(super) held: Held,
    pub(super) slot: Arc<Slot>,
    pub(super) custody: Arc<Custody>,
}

impl Inner {
    /// Replaces the token of a credential. `None` means that the store does not hold the credential any more.
    pub(super) async fn exchange(self: &Arc<Self>, exchange: Exchange) -> Result<Option<Record>, Failure> {
        if self.source.is_none() {
            return Err(RefreshError::misconfigured("the pool has no token source").into());
        }
        let Exchange { key, mut held, slot, custody } = exchange;
        let mut kept = custody.kept().await;
        // The lease of a token that is not stored yet is still ours.
        let lease = match kept.unsaved {
            Some(_) => None,
            None => Some(self.lease(&key).await?),
        };
        held.is_stored = custody.is_stored();
        held.begun = kept.begun.clone();
        if let Some(unsaved) = &kept.unsaved {
            // What the store holds is spent.
            held.credential.material = unsaved.credential.material.clone();
            held.generation = held.generation.max(unsaved.generation);
        }
        let times = Times { exchange: self.settings.exchange_timeout, patience: LEASE_PATIENCE };
        let turn = Turn { store: &*self.store, key: &key, wall: &*self.wall, held: &held, times };
        let mut told = |told: Told<'_>| match told {
            Told::Stored => custody.set_stored(),
            Told::Begun(intent) => kept.begun = Some(intent.clone()),
            Told::UnderWay(intent) => {
                tracing::debug!(target: "oauth_marathon", credential = %slot.id, process = %intent.process, "another process may be refreshing it; it is waited for");
            }
            Told::Interrupted(intent) => {
                tracing::info!(target: "oauth_marathon", credential = %slot.id, process = %intent.process, "an earlier refresh has no end; its refresh token is tried once more");
            }
        };
        let ended = turn.run(|request| self.ask(slot.clone(), request), &mut told).await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(mut failure) => {
                if let Some(unstored) = failure.unstored.take() {
                    self.tell_unstored(&slot, &unstored.error);
                    self.keep_trying(key, &custody, &mut kept, unstored.record, lease);
                }
                return Err(failure.into());
            }
        };
        match ended {
            Ended::New(record) | Ended::Adopted(record) => {
                kept.clear();
                Ok(Some(record))
            }
            Ended::Removed => {
                kept.clear();
                Ok(None)
            }
            Ended::Unstored(Unstored { record, error }) => {
                self.tell_unstored(&slot, &error);
                self.keep_trying(key, &custody, &mut kept, record.clone(), lease);
                Ok(Some(record))
            }
        }
    }

    fn tell_unstored(&self, slot: &Slot, error: &BoxError) {
        tracing::error!(target: "oauth_marathon", credential = %slot.id, %error, "a refreshed token could not be stored; it is kept in memory, and stored again soon");
        self.events.emit(|| Event::StoreFailed {
            provider: self.provider.clone(),
            credential: Some(account(slot)),
            message: error.to_string().into(),
        });
    }

    async fn ask(self: &Arc<Self>, slot: Arc<Slot>, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let Some(source) = self.source.clone() else {
            return Err(RefreshError::misconfigured("the pool has no token source"));
        };
        // A task of its own, so that a token source that panics fails this refresh and nothing else.
        let exchanged = spawn(RENEWING.scope(slot, async move { source.refresh(request).await }));
        exchanged.await.unwrap_or_else(|_| Err(RefreshError::transient("the token source panicked")))
    }

    async fn lease(&self, key: &StoreKey) -> Result<StoreLease, Failure> {
        let failed = |source: BoxError| {
            let message = format!("the refresh was not begun, as the token store gives out no lease: {source}");
            RefreshError::transient(message).with_source(source)
        };
        lease(&*self.store, key, LEASE_PATIENCE).await.map_err(failed)?.ok_or_else(|| {
            let seconds = LEASE_PATIENCE.as_secs();
            let message = format!("another process refreshes it, and has not ended within {seconds} s");
            Failure { error: RefreshError::transient(message).with_retry_after(LEASE_PATIENCE), why: Why::Busy }
        })
    }
}
