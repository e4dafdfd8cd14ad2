//! One refresh, across processes: lease, look again, note the intent, exchange, store; only then is the new token used.

use std::sync::Arc;
use std::time::Duration;

use super::access::Slot;
use super::custody::{Custody, STORE_LIMIT, STORE_TRIES, Saved, limited, save};
use super::handle::Inner;
use super::plan::{Held, Plan, plan, refused};
use super::renewal::RENEWING;
use crate::error::BoxError;
use crate::notify::LoginReason;
use crate::refresh::{RefreshError, RefreshErrorKind, RefreshRequest};
use crate::store::{CasOutcome, Entry, Intent, Record, StoreKey, StoreLease};
use crate::token::TokenSet;

/// How long a refresh waits while another process refreshes the same credential: longer than that takes where the OAuth
/// server is well, and short enough that requests rather go on with another account.
pub(super) const LEASE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a refresh brought no token.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: RefreshError,
    pub(super) why: Why,
}

/// What that means for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    ForNow,
    /// Others are refreshing it, and take their time.
    Busy,
    /// It needs a login.
    Login(LoginReason),
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        let why = match error.kind() {
            RefreshErrorKind::LoginNeeded => Why::Login(LoginReason::RefreshRefused),
            _ => Why::ForNow,
        };
        Self { error, why }
    }
}

/// What a refresh starts from.
pub(super) struct Exchange {
    pub(super) key: StoreKey,
    pub(super) held: Held,
    pub(super) slot: Arc<Slot>,
    pub(super) custody: Arc<Custody>,
}

/// A refresh that brought something.
enum Renewed {
    /// The store holds this, or the credential no more.
    Stored(Option<Record>),
    /// The store could not take the new tokens.
    Unstored(Record, BoxError),
}

impl Inner {
    /// Replaces the token of a credential. `None` means that the store does not hold the credential any more.
    pub(super) async fn exchange(self: &Arc<Self>, exchange: Exchange) -> Result<Option<Record>, Failure> {
        if self.source.is_none() {
            return Err(RefreshError::misconfigured("the pool has no token source").into());
        }
        let mut kept = exchange.custody.kept().await;
        // The lease of a token that is not stored yet is still ours.
        let lease = match kept.unsaved {
            Some(_) => None,
            None => Some(self.lease(&exchange.key).await?),
        };
        match self.exchange_leased(&exchange).await? {
            Renewed::Stored(record) => {
                kept.clear();
                Ok(record)
            }
            Renewed::Unstored(record, error) => {
                self.keep_trying(&exchange, &mut kept, record.clone(), lease, &error);
                Ok(Some(record))
            }
        }
    }

    async fn exchange_leased(&self, exchange: &Exchange) -> Result<Renewed, Failure> {
        let Exchange { key, held, slot, custody } = exchange;
        // A token that was put in while the server was asked is seen by a second look.
        for _ in 0..2 {
            let (intended, interrupted) = match self.intend(key, held, custody).await? {
                Intended::Begun(entry, interrupted) => (entry, interrupted),
                Intended::Settled(record) => return Ok(Renewed::Stored(record)),
            };
            match self.ask(key, slot, &intended.record).await {
                Ok(tokens) => return Ok(self.keep(key, held, intended, tokens).await),
                Err(error) if error.kind() == RefreshErrorKind::LoginNeeded => {
                    if let Some(failure) = self.give_up(key, intended, refused(interrupted), error).await {
                        return Err(failure);
                    }
                }
                Err(error) => {
                    // Without an answer, to this refresh or an earlier one, nobody knows whether the refresh token is spent:
                    // the intent stays.
                    if error.status().is_some() && !interrupted {
                        self.settle_intent(key, intended, |_| {}).await;
                    }
                    return Err(error.into());
                }
            }
        }
        Err(RefreshError::transient("the stored token changes all the time").into())
    }

    async fn ask(&self, key: &StoreKey, slot: &Arc<Slot>, base: &Record) -> Result<TokenSet, RefreshError> {
        let (Some(source), Some(tokens)) = (self.source.clone(), base.credential.material.tokens().cloned()) else {
            return Err(RefreshError::transient("the token store holds a key in place of tokens"));
        };
        let request = RefreshRequest::new(self.provider.clone(), key.credential().clone(), tokens);
        // A task of its own, so that a token source that panics fails this refresh and nothing else.
        let exchanged = tokio::spawn(RENEWING.scope(slot.clone(), async move { source.refresh(request).await }));
        exchanged.await.unwrap_or_else(|_| Err(RefreshError::transient("the token source panicked")))
    }

    async fn lease(&self, key: &StoreKey) -> Result<StoreLease, Failure> {
        let lease = limited(LEASE_PATIENCE + STORE_LIMIT, self.store.lease(key, LEASE_PATIENCE)).await;
        let failed = |source: BoxError| {
            let message = format!("the refresh was not begun, as the token store gives out no lease: {source}");
            RefreshError::transient(message).with_source(source)
        };
        lease.map_err(failed)?.ok_or_else(|| {
            let seconds = LEASE_PATIENCE.as_secs();
            let message = format!("another process refreshes it, and has not ended within {seconds} s");
            Failure { error: RefreshError::transient(message).with_retry_after(LEASE_PATIENCE), why: Why::Busy }
        })
    }

    /// Looks into the store, and notes there that the refresh begins. Without that note it does not.
    async fn intend(&self, key: &StoreKey, held: &Held, custody: &Custody) -> Result<Intended, Failure> {
        let unreadable = |source| RefreshError::transient("the token store could not be read").with_source(source);
        let mut found = limited(STORE_LIMIT, self.store.load(key)).await.map_err(unreadable)?;
        for _ in 0..STORE_TRIES {
            if found.is_some() {
                custody.set_stored();
            }
            let held = Held { is_stored: custody.is_stored(), ..held.clone() };
            let now = self.wall.now();
            let (mut base, interrupted) = match plan(&held, found.as_ref().map(|found| &found.record), now) {
                Plan::Exchange { base, interrupted } => (base, interrupted),
                Plan::Adopt(record) => return Ok(Intended::Settled(Some(record))),
                Plan::Removed => return Ok(Intended::Settled(None)),
                Plan::Out(reason) => {
                    let error = RefreshError::login_needed("the refresh token is known to be refused");
                    return Err(Failure { error, why: Why::Login(reason) });
                }
            };
            base.intent = Some(Intent::new(base.generation, now));
            let revision = found.map(|found| found.revision);
            let noted = limited(STORE_LIMIT, self.store.compare_and_set(key, revision, Some(base))).await;
            let unwritable = |source: BoxError| {
                let message = format!("the refresh was not begun, as the token store could not be written: {source}");
                RefreshError::transient(message).with_source(source)
            };
            match noted.map_err(unwritable)? {
                CasOutcome::Stored(entry) => {
                    custody.set_stored();
                    return Ok(Intended::Begun(entry, interrupted));
                }
                CasOutcome::Conflict(other) => found = other,
                CasOutcome::Removed => found = None,
            }
        }
        Err(RefreshError::transient("the refresh was not begun, as its stored record changes all the time").into())
    }

    /// Stores the new tokens.
    async fn keep(&self, key: &StoreKey, held: &Held, intended: Entry, tokens: TokenSet) -> Renewed {
        let mut next = intended.record.clone();
        next.credential.material = tokens.issued(self.wall.now()).into();
        next.generation = next.generation.next();
        next.intent = None;
        match save(&*self.store, key, &next, Some(intended)).await {
            Saved::Holds(record) => Renewed::Stored(Some(held.with_secret_of(&record))),
            Saved::Removed => Renewed::Stored(None),
            Saved::Failed(error) => Renewed::Unstored(next, error),
        }
    }

    /// The refresh token was refused for good. Where the store holds a later one, that is no failure; else all others are
    /// told by the record.
    async fn give_up(
        &self,
        key: &StoreKey,
        intended: Entry,
        reason: LoginReason,
        error: RefreshError,
    ) -> Option<Failure> {
        let before = intended.record.generation;
        // A store that fails now holds what we have seen a moment ago.
        let found = limited(STORE_LIMIT, self.store.load(key)).await.unwrap_or_else(|_| Some(intended.clone()));
        let has_changed = found.as_ref().is_none_or(|found| found.record.generation > before);
        if has_changed {
            return None;
        }
        self.settle_intent(key, found.unwrap_or(intended), |record| record.health.out = Some(reason)).await;
        Some(Failure { error, why: Why::Login(reason) })
    }

    /// Takes the intent out of the record, as its end is known. Where that fails the record says less than is known, which
    /// costs nothing but one exchange.
    async fn settle_intent(&self, key: &StoreKey, mut held: Entry, change: impl Fn(&mut Record)) {
        let generation = held.record.generation;
        for _ in 0..STORE_TRIES {
            let mut next = Record { intent: None, ..held.record };
            change(&mut next);
            match limited(STORE_LIMIT, self.store.compare_and_set(key, Some(held.revision), Some(next))).await {
                Ok(CasOutcome::Conflict(Some(found))) if found.record.generation == generation => held = found,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(target: "oauth_marathon", credential = %key.credential(), %error, "the end of a refresh could not be stored");
                    return;
                }
            }
        }
    }
}

/// What the store says before the exchange.
enum Intended {
    /// The refresh has begun, and the record says so. An earlier one may have been cut short.
    Begun(Entry, bool),
    /// Nothing is to be exchanged: others have replaced the credential, or removed it.
    Settled(Option<Record>),
}
