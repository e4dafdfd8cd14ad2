//! A refresh of a stored record by a program that runs no pool, such as a command that a person waits for.
//!
//! `across` does the work, here and for the pool. This file adds what such a program needs besides: more patience with
//! other processes, news for the person who waits, and a new token that is kept until it is stored. It may call the
//! token source and the store. It is not the pool's own refresh, because a pool goes on with other accounts while this
//! one waits, and a pool notes in the store what its requests have met.

use std::time::Duration;

use super::across::{self, Ended, Held, Refresh, RefreshFailure, Saved, StoreRelation, Times, Unstored, lease, save};
use super::{RefreshError, RefreshRequest, TokenSource};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::credentials::TokenSet;
use crate::error::{BoxError, Error, ErrorKind};
use crate::store::{DynStore, Intent, Record, Store, StoreKey, StoreLease};
use crate::sync::{shielded, time};

/// The shortest time that it waits for another process that holds the lease, or is in the middle of an exchange without
/// it.
const PATIENCE: Duration = Duration::from_secs(90);

/// The first pause between two attempts to store new tokens, which are only in memory.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Refreshes the tokens of stored records without a pool, in turn with all processes that share the store.
///
/// A [`Pool`](crate::Pool) refreshes by itself, and [`Pool::refresh`](crate::Pool::refresh) refreshes at once. This
/// type is for programs that look after a store while other processes run the pools over it, such as the command
/// `marathon auth refresh`.
///
/// ```
/// use oauth_marathon::store::{CasOutcome, MemoryStore, Record, Store, StoreKey};
/// use oauth_marathon::tokens::refresh::{RecordRefresh, RecordRefreshed, RefreshRequest, token_source_fn};
/// use oauth_marathon::{BoxError, Credential, Generation, TokenSet};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::new();
/// let credential = Credential::new("work", TokenSet::new("old").with_refresh("r1"));
/// let record = Record::new(credential, Generation::new(1));
/// let key = StoreKey::new("openai", "work");
/// assert!(matches!(store.compare_and_set(&key, None, Some(record.clone())).await?, CasOutcome::Stored(_)));
///
/// let source = token_source_fn(async |_: RefreshRequest| Ok(TokenSet::new("new").with_refresh("r2")));
/// let refreshed = RecordRefresh::new(&store, &source).run("openai", &record, |news| eprintln!("{news:?}")).await?;
/// assert!(matches!(refreshed, RecordRefreshed::New(record) if record.generation == Generation::new(2)));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is refreshed before `run`"]
pub struct RecordRefresh<'a, S, T> {
    store: &'a S,
    source: &'a T,
    exchange_timeout: Duration,
}

/// How a [`RecordRefresh`] ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordRefreshed {
    /// There are new tokens in the store.
    New(Record),
    /// Another process was faster, and its tokens are in the store.
    Adopted(Record),
    /// The credential has no refresh token, so nothing was sent.
    NotRefreshable,
    /// The credential is no longer in the store.
    Removed,
}

/// A step of a [`RecordRefresh`] that it reports while it runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordRefreshNews<'a> {
    /// Another process holds the store lease of the credential. The refresh waits for it.
    Waiting,
    /// Another process may be in the middle of its exchange, without the lease. The refresh waits until that must be
    /// over.
    UnderWay(&'a Intent),
    /// An earlier refresh has begun, and its end is unknown. Its refresh token is sent once more.
    Interrupted(&'a Intent),
    /// The new tokens could not be stored. They are only in memory, and are stored as soon as that works.
    Unstored(&'a BoxError),
}

impl<'a, S: Store, T: TokenSource> RecordRefresh<'a, S, T> {
    /// A refresher of records in this store, with tokens from this source.
    pub fn new(store: &'a S, source: &'a T) -> Self {
        Self { store, source, exchange_timeout: Settings::default().exchange_timeout }
    }

    /// Sets the longest time that an exchange may take, 30 s by default. All processes that share the store need the
    /// same value: see [`Settings::exchange_timeout`].
    pub fn exchange_timeout(mut self, timeout: Duration) -> Self {
        self.exchange_timeout = timeout;
        self
    }

    /// Refreshes one credential now, even if its token is valid or its refresh token is known to be refused. `seen` is
    /// the record for which the caller decided this: if the store holds newer tokens by then, they are adopted. `news`
    /// gets each step; a panic in it is caught.
    ///
    /// It waits for another process that refreshes the same credential: for 90 s, or three times the longest exchange
    /// if that is longer. New tokens are kept until they are stored, however long that takes. Run it in a task that
    /// nothing ends early: tokens that are dropped between the answer of the token endpoint and the store are lost.
    ///
    /// # Errors
    ///
    /// Of kind [`LoginNeeded`](ErrorKind::LoginNeeded) or [`Refresh`](ErrorKind::Refresh), with the [`RefreshError`] as its
    /// source, if the refresh brought no tokens. Of kind [`StoreBusy`](ErrorKind::StoreBusy), if another process takes too
    /// long; otherwise the store's own error, if it gives out no lease.
    pub async fn run(
        &self,
        provider: &str,
        seen: &Record,
        mut news: impl FnMut(RecordRefreshNews<'_>) + Send,
    ) -> Result<RecordRefreshed, Error> {
        if seen.credential.material.refresh_token().is_none() {
            return Ok(RecordRefreshed::NotRefreshable);
        }
        // Foreign code, whose panic must not cost the new tokens.
        let mut news = |word: RecordRefreshNews<'_>| {
            let _ = shielded(|| news(word));
        };
        let key = StoreKey::new(provider, &seen.credential.id);
        let exchange = self.exchange_timeout;
        // This is enough to wait for one exchange of another process, and for another one after it.
        let times = Times { exchange, patience: PATIENCE.max(exchange.saturating_mul(3)) };
        let _lease = wait(self.store, &key, times.patience, &mut news).await?;
        let held = Held {
            credential: seen.credential.clone(),
            generation: seen.generation,
            relation: StoreRelation::stored(seen.generation),
            follows: true,
            insists: true,
            begun: None,
        };
        let refresh = Refresh { store: self.store, key: &key, wall: &SystemClock, held: &held, times };
        let mut waits = false;
        let mut pass_on = |word: across::RefreshNews<'_>| match word {
            across::RefreshNews::Stored(_) | across::RefreshNews::Begun(_) => {}
            across::RefreshNews::UnderWay(intent) => {
                if !std::mem::replace(&mut waits, true) {
                    news(RecordRefreshNews::UnderWay(intent));
                }
            }
            across::RefreshNews::Interrupted(intent) => news(RecordRefreshNews::Interrupted(intent)),
        };
        match refresh.run(|request, left| self.ask(request, (left, times)), &mut pass_on).await {
            Ok(Ended::New(record)) => Ok(RecordRefreshed::New(record)),
            Ok(Ended::Adopted(record)) => Ok(RecordRefreshed::Adopted(record)),
            Ok(Ended::Removed) => Ok(RecordRefreshed::Removed),
            Ok(Ended::Unstored(unstored)) => Ok(keep(self.store, &key, unstored, &mut news).await),
            Err(RefreshFailure { error, unstored, .. }) => {
                if let Some(unstored) = unstored {
                    let _ = keep(self.store, &key, *unstored, &mut news).await;
                }
                let message = error.to_string();
                Err(error.into_error(message))
            }
        }
    }

    /// Calls the token source, within the time that is left.
    async fn ask(&self, request: RefreshRequest, (left, times): (Duration, Times)) -> Result<TokenSet, RefreshError> {
        let limit = left.saturating_add(times.last_word());
        time::timeout(limit, self.source.refresh(request)).await.unwrap_or_else(|_| {
            let limit = times.exchange.as_millis();
            Err(RefreshError::transient(format!("no answer within exchangeTimeoutMs ({limit} ms)")))
        })
    }
}

async fn wait(
    store: &dyn DynStore,
    key: &StoreKey,
    patience: Duration,
    news: &mut impl FnMut(RecordRefreshNews<'_>),
) -> Result<StoreLease, Error> {
    let failed = |source: BoxError| {
        let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
        Error::new(kind, source.to_string()).with_source(source)
    };
    if let Some(lease) = lease(store, key, Duration::ZERO).await.map_err(failed)? {
        return Ok(lease);
    }
    news(RecordRefreshNews::Waiting);
    lease(store, key, patience).await.map_err(failed)?.ok_or_else(|| {
        let seconds = patience.as_secs();
        let message =
            format!("another process has been refreshing {key} for more than {seconds} s; end it if it hangs");
        Error::new(ErrorKind::StoreBusy, message)
    })
}

/// Stores the new tokens, and repeats that until it works, because the old refresh token may no longer work.
async fn keep(
    store: &dyn DynStore,
    key: &StoreKey,
    unstored: Unstored,
    news: &mut impl FnMut(RecordRefreshNews<'_>),
) -> RecordRefreshed {
    let Unstored { record, error } = unstored;
    news(RecordRefreshNews::Unstored(&error));
    let mut pause = FIRST_PAUSE;
    loop {
        time::sleep(pause).await;
        match save(store, key, &record, None).await {
            Saved::Stored(record) => return RecordRefreshed::New(*record),
            // Another process has logged the account in meanwhile.
            Saved::Overtaken(record) => return RecordRefreshed::Adopted(*record),
            Saved::Removed => return RecordRefreshed::Removed,
            Saved::Failed(_) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests;
