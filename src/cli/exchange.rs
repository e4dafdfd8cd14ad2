//! A refresh of one credential of a shared store, in the one right order: lease, read again, note the intent, exchange, store.

use std::time::{Duration, SystemTime};

use super::merge::renewed;
use super::records::{Changed, Next, change};
use crate::account::Material;
use crate::clock::{SystemClock, WallClock};
use crate::error::{BoxError, Error, ErrorKind};
use crate::notify::LoginReason;
use crate::refresh::{RefreshError, RefreshErrorKind, RefreshRequest, TokenSource};
use crate::store::{Entry, Intent, Record, Store, StoreKey};
use crate::token::TokenSet;

/// How long another process may hold the lease: longer than its exchange takes.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often the new tokens are tried to be stored: they are nowhere else.
const MOST_WRITES: u32 = 6;

/// How a refresh ended.
#[derive(Debug)]
pub(super) enum Refreshed {
    /// There are new tokens in the store.
    New(Entry),
    /// Another process was faster, and its tokens are in the store.
    Adopted(Entry),
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
/// If the store cannot do its part. Once new tokens were handed out, the error says that they are lost.
pub(super) async fn refresh<S: Store>(
    store: &S,
    provider: &str,
    seen: &Record,
    source: &impl TokenSource,
    mut told: impl FnMut(Told<'_>),
) -> Result<Refreshed, BoxError> {
    let id = &seen.credential.id;
    let key = StoreKey::new(provider, id);
    let mut lease = store.lease(&key, Duration::ZERO).await?;
    if lease.is_none() {
        told(Told::Busy);
        lease = store.lease(&key, PATIENCE).await?;
    }
    let Some(_lease) = lease else {
        let message = format!(
            "another process has been refreshing {key} for more than {} s; end it if it hangs",
            PATIENCE.as_secs()
        );
        return Err(Error::new(ErrorKind::StoreBusy, message).into());
    };
    let Some(found) = store.load(&key).await? else { return Ok(Refreshed::Gone) };
    let is_as_seen = found.record.generation == seen.generation;
    let cut_short = found.record.intent.filter(|intent| is_as_seen && intent.generation == seen.generation);
    if let Some(intent) = &cut_short {
        told(Told::Interrupted(intent));
    }
    let now = SystemClock.now();
    let marked = match change(store, &key, |record| mark(record, seen, now)).await? {
        Changed::Stored(entry) => entry.record,
        Changed::Unwanted(entry) if entry.record.generation > seen.generation => return Ok(Refreshed::Adopted(entry)),
        Changed::Unwanted(_) => return Ok(Refreshed::NotRefreshable),
        Changed::Absent | Changed::Removed => return Ok(Refreshed::Gone),
    };
    let Some(tokens) = marked.credential.material.tokens() else { return Ok(Refreshed::NotRefreshable) };
    match source.refresh(RefreshRequest::new(provider, id, tokens.clone())).await {
        Ok(tokens) => keep(store, &key, &marked, &tokens.issued(SystemClock.now())).await,
        Err(error) => {
            let out = (error.kind() == RefreshErrorKind::LoginNeeded).then_some(match cut_short {
                Some(_) => LoginReason::RefreshLost,
                None => LoginReason::RefreshRefused,
            });
            // Without an answer, to this refresh or to the earlier one, nobody knows whether the refresh token is spent: the
            // mark stays.
            if out.is_some() || (error.status().is_some() && cut_short.is_none()) {
                change(store, &key, |record| unmark(record, &marked, out)).await?;
            }
            Ok(Refreshed::Refused(error))
        }
    }
}

/// With the mark of a refresh that begins.
fn mark(record: &Record, seen: &Record, now: SystemTime) -> Next {
    if record.generation != seen.generation || record.credential.material.refresh_token().is_none() {
        return Next::Keep;
    }
    let mut next = record.clone();
    next.intent = Some(Intent::new(record.generation, now));
    Next::Store(next)
}

/// The end of a refresh without new tokens. Tokens that came meanwhile are another matter.
fn unmark(record: &Record, marked: &Record, out: Option<LoginReason>) -> Next {
    if record.generation != marked.generation {
        return Next::Keep;
    }
    let mut next = record.clone();
    next.intent = None;
    if out.is_some() {
        next.health.out = out;
    }
    Next::Store(next)
}

/// Stores the new tokens, if need be several times: the old refresh token may be of no more use.
async fn keep<S: Store>(store: &S, key: &StoreKey, marked: &Record, tokens: &TokenSet) -> Result<Refreshed, BoxError> {
    let next = |record: &Record| match record.generation == marked.generation {
        true => Next::Store(renewed(record, Material::OAuth(tokens.clone()))),
        false => Next::Keep,
    };
    let mut pause = Duration::from_millis(100);
    for left in (0..MOST_WRITES).rev() {
        match change(store, key, next).await {
            Ok(Changed::Stored(entry)) => return Ok(Refreshed::New(entry)),
            // Somebody has logged in meanwhile.
            Ok(Changed::Unwanted(entry)) => return Ok(Refreshed::Adopted(entry)),
            Ok(Changed::Absent | Changed::Removed) => return Ok(Refreshed::Gone),
            Err(error) if left == 0 => {
                let message = format!(
                    "the new tokens of {key} could not be stored and are lost; correct the store, and log in again"
                );
                return Err(Error::new(ErrorKind::Store, message).with_source(error).into());
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
    Ok(Refreshed::Gone)
}

#[cfg(test)]
mod tests;
