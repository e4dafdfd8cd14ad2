//! Writers that race for one entry of a store.

use std::sync::Arc;

use oauth_marathon::store::{CasOutcome, Record, Store, StoreKey};
use oauth_marathon::{Credential, Generation, TokenSet};

use super::store_calls::{load, set};
use super::violation::{Rule, Violation};

const WRITERS: u64 = 8;

/// How often each writer has to succeed.
const WRITES: u64 = 8;

/// Checks a race of several writers that all expect no entry: exactly one of them writes.
pub(super) async fn first_writers<S: Store>(store: &Arc<S>, provider: &str) -> Result<(), Violation> {
    let key = StoreKey::new(provider, "work");
    let race = |writer: u64| {
        let (store, key) = (store.clone(), key.clone());
        async move {
            set(&*store, &key, None, Some(record(writer, 1)))
                .await
                .map(|outcome| matches!(outcome, CasOutcome::Stored(_)))
        }
    };
    let stored = together(race).await?.into_iter().filter(|stored| *stored).count();
    match stored {
        1 => Ok(()),
        0 => Err(Violation::new(Rule::ConflictInvented, format!("of {WRITERS} first writers none succeeded"))),
        more => Err(Violation::new(Rule::LostUpdate, format!("of {WRITERS} first writers {more} succeeded"))),
    }
}

/// Checks that no step gets lost while several writers raise the generation by one, again and again.
pub(super) async fn writers<S: Store>(store: &Arc<S>, provider: &str) -> Result<(), Violation> {
    let key = StoreKey::new(provider, "work");
    let race = |writer: u64| {
        let (store, key) = (store.clone(), key.clone());
        async move {
            let mut written = 0;
            // At least one writer succeeds while the others are refused once, so this many turns are enough for all.
            for _ in 0..=WRITERS * WRITES {
                let held = load(&*store, &key).await?;
                let next = held.as_ref().map_or(1, |held| held.record.generation.get() + 1);
                let revision = held.map(|held| held.revision);
                let outcome = set(&*store, &key, revision, Some(record(writer, next))).await?;
                written += u64::from(matches!(outcome, CasOutcome::Stored(_)));
                if written == WRITES {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Ok(written)
        }
    };
    let written: u64 = together(race).await?.into_iter().sum();
    let reached = load(&**store, &key).await?.map_or(0, |held| held.record.generation.get());
    if written != WRITERS * WRITES {
        let detail = format!("{WRITERS} writers were to succeed {WRITES} times each, and did {written} times in all");
        return Err(Violation::new(Rule::ConflictInvented, detail));
    }
    if reached != written {
        let detail = format!("{written} writes succeeded, but the generation is {reached}");
        return Err(Violation::new(Rule::LostUpdate, detail));
    }
    Ok(())
}

async fn together<T, Fut>(race: impl Fn(u64) -> Fut) -> Result<Vec<T>, Violation>
where
    T: Send + 'static,
    Fut: Future<Output = Result<T, Violation>> + Send + 'static,
{
    let tasks: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(race(writer))).collect();
    let mut results = Vec::new();
    for task in tasks {
        let result = task.await.map_err(|_| Violation::new(Rule::Panicked, "a store, while writers raced"))?;
        results.push(result?);
    }
    Ok(results)
}

fn record(writer: u64, generation: u64) -> Record {
    let credential = Credential::new("work", TokenSet::new(format!("token-of-writer-{writer}")));
    Record::new(credential, Generation::new(generation))
}
