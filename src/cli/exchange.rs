//! A refresh that a person has asked for: in turn with other processes, with patience, and with word of what goes on.

use std::time::Duration;

use crate::clock::SystemClock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::refresh::across::{self, Ended, Failure, Held, Known, Saved, Turn, lease, save};
use crate::refresh::{RefreshError, TokenSource};
use crate::store::{DynStore, Intent, Record, StoreKey, StoreLease};

/// How long another process may hold the lease: longer than its exchange takes.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often the new tokens are tried to be stored: they are nowhere else.
const MOST_WRITES: u32 = 6;

/// How a refresh ended.
#[derive(Debug)]
pub(super) enum Refreshed {
    /// There are new tokens in the store.
    New(Record),
    /// Another process was faster, and its tokens are in the store.
    Adopted(Record),
    /// It has no refresh token.
    NotRefreshable,
    /// It is not there any more.
    Gone,
    /// The server refused, or could not be asked.
    Refused(RefreshError),
}

/// What a person may want to know meanwhile.
pub(super) enum Told<'a> {
    /// Another process refreshes the same credential.
    Busy,
    /// An earlier refresh has begun, and has no end.
    Interrupted(&'a Intent),
}

/// Refreshes a credential, seen as `seen` when it was decided on.
///
/// # Errors
///
/// If others hold the lease for too long, or the store gives out none; and if new tokens were handed out and are lost.
pub(super) async fn refresh(
    store: &dyn DynStore,
    provider: &str,
    seen: &Record,
    source: &impl TokenSource,
    mut told: impl FnMut(Told<'_>) + Send,
) -> Result<Refreshed, BoxError> {
    if seen.credential.material.refresh_token().is_none() {
        return Ok(Refreshed::NotRefreshable);
    }
    let key = StoreKey::new(provider, &seen.credential.id);
    let _lease = wait(store, &key, &mut told).await?;
    let held = Held {
        credential: seen.credential.clone(),
        generation: seen.generation,
        known: Known::stored(seen.generation),
        follows: true,
        insists: true,
    };
    let turn = Turn { store, key: &key, wall: &SystemClock, held: &held };
    let mut pass_on = |word: across::Told<'_>| {
        if let across::Told::Interrupted(intent) = word {
            told(Told::Interrupted(intent));
        }
    };
    match turn.run(|request| source.refresh(request), &mut pass_on).await {
        Ok(Ended::New(record)) => Ok(Refreshed::New(record)),
        Ok(Ended::Adopted(record)) => Ok(Refreshed::Adopted(record)),
        Ok(Ended::Removed) => Ok(Refreshed::Gone),
        Ok(Ended::Unstored(record, error)) => keep(store, &key, &record, error).await,
        Err(Failure { error, .. }) => Ok(Refreshed::Refused(error)),
    }
}

async fn wait(store: &dyn DynStore, key: &StoreKey, told: &mut impl FnMut(Told<'_>)) -> Result<StoreLease, BoxError> {
    if let Some(lease) = lease(store, key, Duration::ZERO).await? {
        return Ok(lease);
    }
    told(Told::Busy);
    lease(store, key, PATIENCE).await?.ok_or_else(|| {
        let seconds = PATIENCE.as_secs();
        let message =
            format!("another process has been refreshing {key} for more than {seconds} s; end it if it hangs");
        Error::new(ErrorKind::StoreBusy, message).into()
    })
}

/// Stores the new tokens, if need be several times: the old refresh token may be of no more use.
async fn keep(
    store: &dyn DynStore,
    key: &StoreKey,
    record: &Record,
    mut error: BoxError,
) -> Result<Refreshed, BoxError> {
    let mut pause = Duration::from_millis(100);
    for _ in 1..MOST_WRITES {
        tokio::time::sleep(pause).await;
        match save(store, key, record, None).await {
            Saved::Stored(record) => return Ok(Refreshed::New(*record)),
            // Somebody has logged in meanwhile.
            Saved::Overtaken(record) => return Ok(Refreshed::Adopted(*record)),
            Saved::Removed => return Ok(Refreshed::Gone),
            Saved::Failed(again) => error = again,
        }
        pause *= 2;
    }
    let message =
        format!("the new tokens of {key} could not be stored and are lost; correct the store, and log in again");
    Err(Error::new(ErrorKind::Store, message).with_source(error).into())
}

#[cfg(test)]
mod tests;
