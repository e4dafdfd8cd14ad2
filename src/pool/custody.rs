//! Bringing a renewed credential safely into the store, however long that takes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::exchange::Exchange;
use super::handle::{Inner, account};
use super::plan::new_start;
use crate::error::BoxError;
use crate::notify::Event;
use crate::store::{CasOutcome, DynStore, Entry, Record, StoreKey, StoreLease};

/// How long one call of a store may take: many requests can wait for it, and a dead disk must not hold them for ever.
pub(super) const STORE_LIMIT: Duration = Duration::from_secs(15);

/// How often a record is offered to a store whose record others change at the same time.
pub(super) const STORE_TRIES: usize = 16;

/// How soon a token that could not be stored is stored again; the pause doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known of one credential's record.
#[derive(Debug, Default)]
pub(super) struct Custody {
    is_stored: AtomicBool,
    kept: Arc<Mutex<Kept>>,
}

/// A new token that is in memory alone. Nobody else may refresh the credential meanwhile: in the store is the old refresh
/// token, which is spent.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) unsaved: Option<Record>,
    lease: Option<StoreLease>,
}

impl Custody {
    /// Whether the store has held a record of it.
    pub(super) fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    pub(super) fn set_stored(&self) {
        self.is_stored.store(true, Relaxed);
    }

    /// Keeps everybody else in this pool from refreshing or storing, until the guard is dropped.
    pub(super) async fn kept(&self) -> OwnedMutexGuard<Kept> {
        self.kept.clone().lock_owned().await
    }
}

impl Kept {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// How the attempt to store a renewed record ended.
#[derive(Debug)]
pub(super) enum Saved {
    /// This is stored: ours, or a later one of others.
    Holds(Box<Record>),
    /// It has been removed, and that is not undone.
    Removed,
    /// The store does not work. Nobody knows what it holds.
    Failed(BoxError),
}

/// Stores a renewed record beside what others have changed of it meanwhile. `held` is what the store holds, as far as that
/// is known.
pub(super) async fn save(store: &dyn DynStore, key: &StoreKey, next: &Record, held: Option<Entry>) -> Saved {
    let mut held = match held {
        Some(held) => held,
        None => match limited(STORE_LIMIT, store.load(key)).await {
            Ok(Some(found)) if found.record.generation >= next.generation => return Saved::Holds(found.record.into()),
            Ok(Some(found)) => found,
            Ok(None) => return Saved::Removed,
            Err(error) => return Saved::Failed(error),
        },
    };
    for _ in 0..STORE_TRIES {
        let mut next = next.clone();
        next.health = held.record.health;
        new_start().apply(&mut next.health);
        match limited(STORE_LIMIT, store.compare_and_set(key, Some(held.revision), Some(next.clone()))).await {
            Ok(CasOutcome::Stored(entry)) => return Saved::Holds(entry.record.into()),
            Ok(CasOutcome::Conflict(Some(found))) if found.record.generation >= next.generation => {
                return Saved::Holds(found.record.into());
            }
            Ok(CasOutcome::Conflict(Some(found))) => held = found,
            Ok(CasOutcome::Conflict(None) | CasOutcome::Removed) => return Saved::Removed,
            Err(error) => return Saved::Failed(error),
        }
    }
    Saved::Failed("its record changes all the time".into())
}

/// Waits for a call of the store, but not for ever.
pub(super) async fn limited<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let mut call = pin!(call);
    // A store in memory answers at once: no timer is armed for it.
    if let Poll::Ready(outcome) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
        return outcome;
    }
    match tokio::time::timeout(limit, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("the store has not answered within {} s", limit.as_secs()).into()),
    }
}

impl Inner {
    /// Uses the new token from memory, and goes on trying to store it: at first soon, then once a minute, until the store
    /// takes it or holds a later one, and a last time when the pool ends.
    pub(super) fn keep_trying(
        &self,
        exchange: &Exchange,
        kept: &mut Kept,
        record: Record,
        lease: Option<StoreLease>,
        error: &BoxError,
    ) {
        let credential = exchange.key.credential();
        tracing::error!(target: "oauth_marathon", %credential, %error, "a refreshed token could not be stored; it is kept in memory, and stored again soon");
        self.events.emit(|| Event::StoreFailed {
            provider: self.provider.clone(),
            credential: Some(account(&exchange.slot)),
            message: error.to_string().into(),
        });
        kept.lease = lease.or(kept.lease.take());
        let is_attended = kept.unsaved.replace(record).is_some();
        if is_attended {
            return;
        }
        let saver = Saver {
            store: self.store.clone(),
            key: exchange.key.clone(),
            custody: exchange.custody.clone(),
            closing: self.closing.subscribe(),
            _counted: Counted::new(&self.refreshing),
        };
        tokio::spawn(saver.run());
    }
}

/// Stores what is in memory alone.
struct Saver {
    store: Arc<dyn DynStore>,
    key: StoreKey,
    custody: Arc<Custody>,
    closing: watch::Receiver<bool>,
    /// A shutdown waits for it.
    _counted: Counted,
}

impl Saver {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            // The pool is shut down, or nobody holds it any more.
            let is_last = tokio::time::timeout(pause, self.closing.wait_for(|closing| *closing)).await.is_ok();
            let mut kept = self.custody.kept().await;
            let Some(next) = kept.unsaved.clone() else { return };
            let credential = self.key.credential();
            match save(&*self.store, &self.key, &next, None).await {
                Saved::Holds(_) | Saved::Removed => {
                    tracing::info!(target: "oauth_marathon", %credential, "a refreshed token that was in memory alone is stored");
                    kept.clear();
                    return;
                }
                Saved::Failed(error) if is_last => {
                    tracing::error!(target: "oauth_marathon", %credential, %error, "a refreshed token is lost with the pool: it could not be stored; log in again");
                    kept.clear();
                    return;
                }
                Saved::Failed(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }
}

/// Counts one that a shutdown waits for.
pub(super) struct Counted(watch::Sender<usize>);

impl Counted {
    pub(super) fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
