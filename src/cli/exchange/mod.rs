//! A refresh that a person has asked for.
//!
//! The pool's own refresh across processes does the work. This file adds patience with other processes that refresh the
//! same credential, and reports what goes on, because a person waits for the result.

use std::time::Duration;

use crate::clock::SystemClock;
use crate::credentials::TokenSet;
use crate::error::{BoxError, Error, ErrorKind};
use crate::store::{DynStore, Intent, Record, StoreKey, StoreLease};
use crate::tokens::refresh::across;
use crate::tokens::refresh::across::{
    Ended, Held, Refresh, RefreshFailure as Failure, Saved, StoreRelation, Times, Unstored, lease, save,
};
use crate::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};

/// How long to wait at the least for another process that holds the lease, or is in the middle of an exchange without
/// it.
const PATIENCE: Duration = Duration::from_secs(90);

/// The times of a refresh by the command; `exchange` is `exchangeTimeoutMs`. It has the patience to wait for one exchange
/// of others and for another after it.
fn times(exchange: Duration) -> Times {
    Times { exchange, patience: PATIENCE.max(exchange.saturating_mul(3)) }
}

/// The pauses between two tries to store new tokens, which are nowhere else.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a refresh ended.
#[derive(Debug)]
pub(super) enum Refreshed {
    /// There are new tokens in the store.
    New(Record),
    /// Another process was faster, and its tokens are in the store.
    Adopted(Record),
    /// The credential has no refresh token.
    NotRefreshable,
    /// The credential is no longer in the store.
    Gone,
    /// The server refused, or could not be asked.
    Refused(RefreshError),
}

/// News for the person while the refresh runs.
pub(super) enum Told<'a> {
    /// Another process refreshes the same credential.
    Busy,
    /// Another process may be in the middle of its exchange, without the lease.
    UnderWay(&'a Intent),
    /// An earlier refresh has begun, and has no end.
    Interrupted(&'a Intent),
    /// New tokens could not be stored. They are in memory alone, and are stored as soon as that works.
    Unstored(&'a BoxError),
}

/// Refreshes a credential, seen as `seen` when it was decided on. One exchange takes at most `exchange`.
///
/// # Errors
///
/// If others hold the lease for too long, or the store gives out none. New tokens are kept until they are stored, however
/// long that takes.
pub(super) async fn refresh(
    store: &dyn DynStore,
    provider: &str,
    seen: &Record,
    (source, exchange): (&impl TokenSource, Duration),
    mut told: impl FnMut(Told<'_>) + Send,
) -> Result<Refreshed, BoxError> {
    if seen.credential.material.refresh_token().is_none() {
        return Ok(Refreshed::NotRefreshable);
    }
    let key = StoreKey::new(provider, &seen.credential.id);
    let times = times(exchange);
    let _lease = wait(store, &key, times.patience, &mut told).await?;
    let held = Held {
        credential: seen.credential.clone(),
        generation: seen.generation,
        relation: StoreRelation::stored(seen.generation),
        follows: true,
        insists: true,
        begun: None,
    };
    let turn = Refresh { store, key: &key, wall: &SystemClock, held: &held, times };
    let mut waits = false;
    let mut pass_on = |word: across::RefreshNews<'_>| match word {
        across::RefreshNews::Stored(_) | across::RefreshNews::Begun(_) => {}
        across::RefreshNews::UnderWay(intent) => {
            if !std::mem::replace(&mut waits, true) {
                told(Told::UnderWay(intent));
            }
        }
        across::RefreshNews::Interrupted(intent) => told(Told::Interrupted(intent)),
    };
    match turn.run(|request, left| ask(source, request, (left, times)), &mut pass_on).await {
        Ok(Ended::New(record)) => Ok(Refreshed::New(record)),
        Ok(Ended::Adopted(record)) => Ok(Refreshed::Adopted(record)),
        Ok(Ended::Removed) => Ok(Refreshed::Gone),
        Ok(Ended::Unstored(unstored)) => Ok(keep(store, &key, unstored, &mut told).await),
        Err(Failure { error, unstored, .. }) => {
            if let Some(unstored) = unstored {
                let _ = keep(store, &key, *unstored, &mut told).await;
            }
            Ok(Refreshed::Refused(error))
        }
    }
}

/// Asks the token source, for the time that is left.
async fn ask(
    source: &impl TokenSource,
    request: RefreshRequest,
    (left, times): (Duration, Times),
) -> Result<TokenSet, RefreshError> {
    let limit = left.saturating_add(times.last_word());
    tokio::time::timeout(limit, source.refresh(request)).await.unwrap_or_else(|_| {
        let limit = times.exchange.as_millis();
        Err(RefreshError::transient(format!("no answer within exchangeTimeoutMs ({limit} ms)")))
    })
}

async fn wait(
    store: &dyn DynStore,
    key: &StoreKey,
    patience: Duration,
    told: &mut impl FnMut(Told<'_>),
) -> Result<StoreLease, BoxError> {
    if let Some(lease) = lease(store, key, Duration::ZERO).await? {
        return Ok(lease);
    }
    told(Told::Busy);
    lease(store, key, patience).await?.ok_or_else(|| {
        let seconds = patience.as_secs();
        let message =
            format!("another process has been refreshing {key} for more than {seconds} s; end it if it hangs");
        Error::new(ErrorKind::StoreBusy, message).into()
    })
}

/// Stores the new tokens, again and again until it works: the old refresh token may no longer work.
async fn keep(store: &dyn DynStore, key: &StoreKey, unstored: Unstored, told: &mut impl FnMut(Told<'_>)) -> Refreshed {
    let Unstored { record, error } = unstored;
    told(Told::Unstored(&error));
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        match save(store, key, &record, None).await {
            Saved::Stored(record) => return Refreshed::New(*record),
            // Another process has logged the account in meanwhile.
            Saved::Overtaken(record) => return Refreshed::Adopted(*record),
            Saved::Removed => return Refreshed::Gone,
            Saved::Failed(_) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests;
