//! Stores the tokens of a refresh, and limits the time of calls to the store.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::plan::new_start;
use crate::credentials::Credential;
use crate::error::BoxError;
use crate::store::{CasOutcome, DynStore, Entry, Record, StoreKey};
use crate::sync::time;

/// How long one call of a store may take. Many requests can wait for it, and a dead disk must not hold them for ever.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(15);

/// How often a write is tried again after another process has changed the record at the same time.
pub(crate) const STORE_TRIES: usize = 16;

/// The outcome of storing a refreshed record.
#[derive(Debug)]
pub(crate) enum Saved {
    /// The record is stored.
    Stored(Box<Record>),
    /// The store holds a later record of another process.
    Overtaken(Box<Record>),
    /// The record has been removed, and is not put back.
    Removed,
    /// The store failed, and its content is unknown.
    Failed(BoxError),
}

/// Stores a refreshed record, and keeps what other processes have changed in it meanwhile. `held` is the record that
/// the store held last, if it is known.
pub(crate) async fn save(store: &dyn DynStore, key: &StoreKey, next: &Record, held: Option<Entry>) -> Saved {
    let mut held = match held {
        Some(held) => held,
        None => match limited(STORE_LIMIT, store.load(key)).await {
            Ok(Some(found)) if found.record.generation >= next.generation => {
                return Saved::Overtaken(found.record.into());
            }
            Ok(Some(found)) => found,
            Ok(None) => return Saved::Removed,
            Err(error) => return Saved::Failed(error),
        },
    };
    for _ in 0..STORE_TRIES {
        let mut next = next.clone();
        next.health = held.record.health;
        next.credential = Credential { material: next.credential.material, ..held.record.credential };
        new_start().apply(&mut next.health);
        match limited(STORE_LIMIT, store.compare_and_set(key, Some(held.revision), Some(next.clone()))).await {
            Ok(CasOutcome::Stored(entry)) => return Saved::Stored(entry.record.into()),
            Ok(CasOutcome::Conflict(Some(found))) if found.record.generation >= next.generation => {
                return Saved::Overtaken(found.record.into());
            }
            Ok(CasOutcome::Conflict(Some(found))) => held = found,
            Ok(CasOutcome::Conflict(None) | CasOutcome::Removed) => return Saved::Removed,
            Err(error) => return Saved::Failed(error),
        }
    }
    Saved::Failed("its record changes all the time".into())
}

/// Waits for a call of the store, up to a limit.
pub(crate) async fn limited<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let mut call = pin!(call);
    // A store in memory answers at once: no timer is armed for it.
    if let Poll::Ready(outcome) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
        return outcome;
    }
    match time::timeout(limit, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("the store has not answered within {} s", limit.as_secs()).into()),
    }
}
