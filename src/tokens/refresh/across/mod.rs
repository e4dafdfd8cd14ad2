//! One refresh, across processes: take the store lease, read the store again, note the intent, exchange, store the tokens;
//! only then is the new token used.
//!
//! The caller takes the lease, and keeps it while a token could not be stored. The lease alone is not enough, because
//! it can be lost without an error, for example if its file is removed. So the intent excludes other processes, too: a
//! process that finds one waits until its exchange must be over.

mod intend;
mod newer;
mod plan;
mod save;
mod times;

use std::future::Future;
use std::time::Duration;

use self::intend::Intended;
pub(crate) use self::newer::{Newer, StoreRelation, is_same, newer};
use self::plan::refused;
pub(crate) use self::plan::{Held, new_start};
pub(crate) use self::save::{STORE_LIMIT, STORE_TRIES, Saved, limited, save};
pub(crate) use self::times::Times;
use super::{RefreshError, RefreshErrorKind, RefreshRequest};
use crate::clock::WallClock;
use crate::credentials::{Secret, TokenSet};
use crate::error::BoxError;
use crate::store::{CasOutcome, DynStore, Entry, Intent, Record, StoreKey, StoreLease};
use crate::verdict::OutReason;

/// One refresh. The caller holds the store lease of the credential.
pub(crate) struct Refresh<'a> {
    pub(crate) store: &'a dyn DynStore,
    pub(crate) key: &'a StoreKey,
    pub(crate) wall: &'a dyn WallClock,
    pub(crate) held: &'a Held,
    pub(crate) times: Times,
}

/// A step that a running refresh reports.
pub(crate) enum RefreshNews<'a> {
    /// The store holds this record of the credential.
    Stored(&'a Record),
    /// Another process may be exchanging the refresh token now. The refresh waits until that exchange must be over.
    UnderWay(&'a Intent),
    /// An earlier refresh has begun, and its end is unknown.
    Interrupted(&'a Intent),
    /// This refresh has begun, and its intent is stored.
    Begun(&'a Intent),
}

/// How a refresh ended, unless it failed.
#[derive(Debug)]
pub(crate) enum Ended {
    /// New tokens are in the store.
    New(Record),
    /// Another process has replaced the secret. This is the record that the store holds now.
    Adopted(Record),
    /// The store does not hold the credential any more.
    Removed,
    /// There are new tokens, but they could not be stored.
    Unstored(Unstored),
}

/// New tokens that could not be stored, and why.
#[derive(Debug)]
pub(crate) struct Unstored {
    pub(crate) record: Record,
    pub(crate) error: BoxError,
}

/// Why a refresh brought no token.
#[derive(Debug)]
pub(crate) struct RefreshFailure {
    pub(crate) error: RefreshError,
    /// Why the credential needs a login, if it does.
    pub(crate) login: Option<OutReason>,
    /// Whether another process is refreshing the credential, and has not ended in time.
    pub(crate) busy: bool,
    /// A new refresh token that came without an access token, and could not be stored.
    pub(crate) unstored: Option<Box<Unstored>>,
}

impl From<RefreshError> for RefreshFailure {
    fn from(error: RefreshError) -> Self {
        let login = (error.kind() == RefreshErrorKind::LoginNeeded).then_some(OutReason::RefreshRefused);
        Self { error, login, busy: false, unstored: None }
    }
}

impl RefreshFailure {
    fn needs_login(reason: OutReason, error: RefreshError) -> Self {
        Self { login: Some(reason), ..Self::from(error) }
    }
}

/// Waits at most `patience` for the store lease of a credential. `None` if another process holds it for longer.
pub(crate) async fn lease(
    store: &dyn DynStore,
    key: &StoreKey,
    patience: Duration,
) -> Result<Option<StoreLease>, BoxError> {
    limited(patience.saturating_add(STORE_LIMIT), store.lease(key, patience)).await
}

impl Refresh<'_> {
    /// Refreshes the credential. `ask` is the exchange: it may spend the refresh token, and ends within the time that
    /// it is given, apart from a [last word](Times::last_word).
    pub(crate) async fn run<F>(
        &self,
        ask: impl Fn(RefreshRequest, Duration) -> F,
        told: &mut (dyn FnMut(RefreshNews<'_>) + Send),
    ) -> Result<Ended, RefreshFailure>
    where
        F: Future<Output = Result<TokenSet, RefreshError>>,
    {
        let mut held = self.held.clone();
        // A second round follows if a person has put in another token during the exchange.
        for _ in 0..2 {
            let (intended, interrupted, left) = match self.intend(&mut held, told).await? {
                Intended::Begun { entry, interrupted, left } => (entry, interrupted, left),
                Intended::Settled(ended) => return Ok(ended),
            };
            let asked = match self.request(&intended.record) {
                Some(request) => ask(request, left).await,
                None => Err(RefreshError::transient("the token store holds a key in place of tokens")),
            };
            let mut error = match asked {
                Ok(tokens) => return Ok(self.keep(intended, tokens.issued(self.wall.now())).await),
                Err(error) => error,
            };
            if let Some(refresh) = error.take_refresh_token() {
                return Err(self.keep_refresh_token(intended, refresh, error).await);
            }
            if error.kind() == RefreshErrorKind::LoginNeeded {
                if let Some(failure) = self.give_up(intended, refused(interrupted), error).await {
                    return Err(failure);
                }
            } else {
                // The intent stays unless it is certain that the refresh token is not spent, by this refresh or by an
                // earlier one.
                let is_settled = error.says_unspent() && !interrupted;
                self.end_intent(intended, is_settled, None).await;
                return Err(error.into());
            }
        }
        Err(RefreshError::transient("the stored token changes all the time").into())
    }

    fn request(&self, base: &Record) -> Option<RefreshRequest> {
        let tokens = base.credential.material.tokens()?.clone();
        Some(RefreshRequest::new(self.key.provider(), self.key.credential().clone(), tokens))
    }

    /// Stores the new tokens.
    async fn keep(&self, intended: Entry, tokens: TokenSet) -> Ended {
        let mut next = intended.record.clone();
        next.credential.material = tokens.into();
        next.generation = next.generation.next();
        next.intent = None;
        match save(self.store, self.key, &next, Some(intended)).await {
            Saved::Stored(record) => Ended::New(self.held.with_secret_of(&record)),
            Saved::Overtaken(record) => Ended::Adopted(self.held.with_secret_of(&record)),
            Saved::Removed => Ended::Removed,
            Saved::Failed(error) => Ended::Unstored(Unstored { record: next, error }),
        }
    }

    /// Stores a refresh token that came without an access token, beside the old access token, which counts as expired.
    async fn keep_refresh_token(&self, intended: Entry, refresh: Secret, error: RefreshError) -> RefreshFailure {
        let mut failure = RefreshFailure::from(error);
        let Some(old) = intended.record.credential.material.tokens() else { return failure };
        let tokens = old.clone().with_refresh(refresh).expires_at(self.wall.now());
        if let Ended::Unstored(unstored) = self.keep(intended, tokens).await {
            failure.unstored = Some(Box::new(unstored));
        }
        failure
    }

    /// Ends a refresh whose token was refused for good. `None` if the store holds a later token: then nothing has
    /// failed. Otherwise the record notes that the credential is out, for all processes.
    async fn give_up(&self, intended: Entry, reason: OutReason, error: RefreshError) -> Option<RefreshFailure> {
        let before = intended.record.generation;
        // If the store fails now, what it held a moment ago counts.
        let found = limited(STORE_LIMIT, self.store.load(self.key)).await.unwrap_or_else(|_| Some(intended.clone()));
        let has_changed = found.as_ref().is_none_or(|found| found.record.generation > before);
        if has_changed {
            return None;
        }
        self.end_intent(intended, true, Some(reason)).await;
        Some(RefreshFailure::needs_login(reason, error))
    }

    /// Removes the intent from the record if the end of the exchange is known; otherwise notes in it that the exchange
    /// is over. If this fails, the next refresh waits once and exchanges once in vain, and nothing worse happens.
    async fn end_intent(&self, mut held: Entry, is_settled: bool, out: Option<OutReason>) {
        let generation = held.record.generation;
        let ours = held.record.intent.clone();
        for _ in 0..STORE_TRIES {
            let mut next = held.record;
            // An intent that another process has put in its place stays.
            if next.intent == ours {
                next.intent = next.intent.filter(|_| !is_settled).map(|intent| Intent { ended: true, ..intent });
            }
            next.health.out = out.or(next.health.out);
            match limited(STORE_LIMIT, self.store.compare_and_set(self.key, Some(held.revision), Some(next))).await {
                Ok(CasOutcome::Conflict(Some(found))) if found.record.generation == generation => held = found,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(target: "oauth_marathon", credential = %self.key.credential(), %error, "the end of a refresh could not be stored");
                    return;
                }
            }
        }
    }
}
