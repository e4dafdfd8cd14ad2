//! One refresh, across processes: lease, look again, note the intent, exchange, store; only then is the new token used.
//!
//! The lease is the caller's: it waits for it as long as it likes, and keeps it until a token that could not be stored is.

mod newer;
mod plan;
mod save;

use std::future::Future;
use std::time::Duration;

pub(crate) use self::newer::{Known, Newer, is_same, newer};
pub(crate) use self::plan::{Held, new_start};
use self::plan::{Plan, plan, refused};
pub(crate) use self::save::{STORE_LIMIT, STORE_TRIES, Saved, limited, save};
use super::{RefreshError, RefreshErrorKind, RefreshRequest};
use crate::clock::WallClock;
use crate::error::BoxError;
use crate::notify::LoginReason;
use crate::store::{CasOutcome, DynStore, Entry, Intent, Record, StoreKey, StoreLease};
use crate::token::TokenSet;

/// One refresh, for somebody who holds the lease of the credential.
pub(crate) struct Turn<'a> {
    pub(crate) store: &'a dyn DynStore,
    pub(crate) key: &'a StoreKey,
    pub(crate) wall: &'a dyn WallClock,
    pub(crate) held: &'a Held,
}

/// What is told meanwhile.
pub(crate) enum Told<'a> {
    /// The store holds this record of the credential.
    Stored(&'a Record),
    /// An earlier refresh has begun, and has no end.
    Interrupted(&'a Intent),
}

/// How a refresh ended that did not fail.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There are new tokens in the store.
    New(Record),
    /// Others have replaced the secret, by what the store holds now.
    Adopted(Record),
    /// The store does not hold the credential any more.
    Removed,
    /// There are new tokens, and the store could not take them.
    Unstored(Record, BoxError),
}

/// Why a refresh brought no token.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: RefreshError,
    /// Why it needs a login, if it does.
    pub(crate) login: Option<LoginReason>,
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        let login = (error.kind() == RefreshErrorKind::LoginNeeded).then_some(LoginReason::RefreshRefused);
        Self { error, login }
    }
}

/// Waits at most `patience` for the lease of a credential; `None` if others hold it for longer.
pub(crate) async fn lease(
    store: &dyn DynStore,
    key: &StoreKey,
    patience: Duration,
) -> Result<Option<StoreLease>, BoxError> {
    limited(patience.saturating_add(STORE_LIMIT), store.lease(key, patience)).await
}

/// What the store says before the exchange.
enum Intended {
    /// The refresh has begun, and the record says so. An earlier one may have been cut short.
    Begun(Entry, bool),
    /// Nothing is to be exchanged.
    Settled(Ended),
}

impl Turn<'_> {
    /// Refreshes the credential. `ask` sends a refresh token, which may be of no more use then.
    pub(crate) async fn run<F>(
        &self,
        ask: impl Fn(RefreshRequest) -> F,
        told: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> Result<Ended, Failure>
    where
        F: Future<Output = Result<TokenSet, RefreshError>>,
    {
        let mut held = self.held.clone();
        // A token that was put in while the server was asked is seen by a second look.
        for _ in 0..2 {
            let (intended, interrupted) = match self.intend(&mut held, told).await? {
                Intended::Begun(entry, interrupted) => (entry, interrupted),
                Intended::Settled(ended) => return Ok(ended),
            };
            let asked = match self.request(&intended.record) {
                Some(request) => ask(request).await,
                None => Err(RefreshError::transient("the token store holds a key in place of tokens")),
            };
            match asked {
                Ok(tokens) => return Ok(self.keep(intended, tokens).await),
                Err(error) if error.kind() == RefreshErrorKind::LoginNeeded => {
                    if let Some(failure) = self.give_up(intended, refused(interrupted), error).await {
                        return Err(failure);
                    }
                }
                Err(error) => {
                    // Without an answer, to this refresh or an earlier one, nobody knows whether the refresh token is spent:
                    // the intent stays.
                    if error.status().is_some() && !interrupted {
                        self.settle_intent(intended, |_| {}).await;
                    }
                    return Err(error.into());
                }
            }
        }
        Err(RefreshError::transient("the stored token changes all the time").into())
    }

    fn request(&self, base: &Record) -> Option<RefreshRequest> {
        let tokens = base.credential.material.tokens()?.clone();
        Some(RefreshRequest::new(self.key.provider(), self.key.credential().clone(), tokens))
    }

    /// Looks into the store, and notes there that the refresh begins. Without that note it does not.
    async fn intend(&self, held: &mut Held, told: &mut (dyn FnMut(Told<'_>) + Send)) -> Result<Intended, Failure> {
        let unreadable = |source| RefreshError::transient("the token store could not be read").with_source(source);
        let mut found = limited(STORE_LIMIT, self.store.load(self.key)).await.map_err(unreadable)?;
        for _ in 0..STORE_TRIES {
            if let Some(found) = &found {
                held.has_held(&found.record);
                told(Told::Stored(&found.record));
            }
            let now = self.wall.now();
            let (mut base, interrupted) = match plan(held, found.as_ref().map(|found| &found.record), now) {
                Plan::Exchange { base, interrupted } => (base, interrupted),
                Plan::Adopt(record) => return Ok(Intended::Settled(Ended::Adopted(record))),
                Plan::Removed => return Ok(Intended::Settled(Ended::Removed)),
                Plan::Out(reason) => {
                    let error = RefreshError::login_needed("the refresh token is known to be refused");
                    return Err(Failure { error, login: Some(reason) });
                }
            };
            base.intent = Some(Intent::new(base.generation, now));
            let earlier = found.as_mut().and_then(|found| found.record.intent.take()).filter(|_| interrupted);
            let revision = found.map(|found| found.revision);
            let noted = limited(STORE_LIMIT, self.store.compare_and_set(self.key, revision, Some(base))).await;
            let unwritable = |source: BoxError| {
                let message = format!("the refresh was not begun, as the token store could not be written: {source}");
                RefreshError::transient(message).with_source(source)
            };
            match noted.map_err(unwritable)? {
                CasOutcome::Stored(entry) => {
                    held.has_held(&entry.record);
                    told(Told::Stored(&entry.record));
                    if let Some(intent) = &earlier {
                        told(Told::Interrupted(intent));
                    }
                    return Ok(Intended::Begun(entry, interrupted));
                }
                CasOutcome::Conflict(other) => found = other,
                CasOutcome::Removed => found = None,
            }
        }
        Err(RefreshError::transient("the refresh was not begun, as its stored record changes all the time").into())
    }

    /// Stores the new tokens.
    async fn keep(&self, intended: Entry, tokens: TokenSet) -> Ended {
        let mut next = intended.record.clone();
        next.credential.material = tokens.issued(self.wall.now()).into();
        next.generation = next.generation.next();
        next.intent = None;
        match save(self.store, self.key, &next, Some(intended)).await {
            Saved::Stored(record) => Ended::New(self.held.with_secret_of(&record)),
            Saved::Overtaken(record) => Ended::Adopted(self.held.with_secret_of(&record)),
            Saved::Removed => Ended::Removed,
            Saved::Failed(error) => Ended::Unstored(next, error),
        }
    }

    /// The refresh token was refused for good. Where the store holds a later one, that is no failure; else all others are
    /// told by the record.
    async fn give_up(&self, intended: Entry, reason: LoginReason, error: RefreshError) -> Option<Failure> {
        let before = intended.record.generation;
        // A store that fails now holds what we have seen a moment ago.
        let found = limited(STORE_LIMIT, self.store.load(self.key)).await.unwrap_or_else(|_| Some(intended.clone()));
        let has_changed = found.as_ref().is_none_or(|found| found.record.generation > before);
        if has_changed {
            return None;
        }
        self.settle_intent(found.unwrap_or(intended), |record| record.health.out = Some(reason)).await;
        Some(Failure { error, login: Some(reason) })
    }

    /// Takes the intent out of the record, as its end is known. Where that fails the record says less than is known, which
    /// costs nothing but one exchange.
    async fn settle_intent(&self, mut held: Entry, change: impl Fn(&mut Record)) {
        let generation = held.record.generation;
        for _ in 0..STORE_TRIES {
            let mut next = Record { intent: None, ..held.record };
            change(&mut next);
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
