//! Helpers: stores that are filled by hand, pools over them, and what can be seen of both.

use std::time::Duration;

use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::store::{CasOutcome, Entry, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, MarathonLayer, Pool, Secret};
use oauth_marathon_test::ScriptedStore;
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, look, post, refusing, seconds, wall};

pub(crate) const HOUR: Duration = seconds(3600);

pub(crate) fn key(id: &str) -> StoreKey {
    StoreKey::new("openai", id)
}

pub(crate) fn static_key(id: &str) -> Credential {
    Credential::new(id, Secret::new(id))
}

pub(crate) async fn put(store: &impl Store, credential: Credential) -> Entry {
    put_record(store, Record::new(credential, Generation::new(1))).await
}

/// Stores a record whatever is there.
pub(crate) async fn put_record(store: &impl Store, record: Record) -> Entry {
    let key = key(record.credential.id().as_str());
    let held = store.load(&key).await.unwrap().map(|held| held.revision);
    let CasOutcome::Stored(entry) = store.compare_and_set(&key, held, Some(record)).await.unwrap() else { panic!() };
    entry
}

pub(crate) async fn remove(store: &impl Store, id: &str) {
    let held = store.load(&key(id)).await.unwrap().map(|held| held.revision);
    assert_eq!(store.compare_and_set(&key(id), held, None).await.unwrap(), CasOutcome::Removed);
}

pub(crate) async fn held(store: &impl Store, id: &str) -> Option<Record> {
    store.load(&key(id)).await.unwrap().map(|held| held.record)
}

pub(crate) fn builder(store: impl Store) -> PoolBuilder {
    Pool::builder("openai").origin(ORIGIN).store(store).clock(wall())
}

pub(crate) async fn store_of(ids: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    for id in ids {
        put(&store, static_key(id)).await;
    }
    store
}

pub(crate) fn ids(pool: &Pool) -> Vec<String> {
    pool.snapshot().credentials.into_iter().map(|credential| credential.id.to_string()).collect()
}

pub(crate) fn cooldown(pool: &Pool, id: &str) -> Option<u64> {
    match look(pool, id).standing {
        // Rounded: a wall clock is cut to the millisecond.
        Standing::Cooling { cooldown, .. } => Some((cooldown.as_millis() as u64 + 500) / 1000),
        _ => None,
    }
}

pub(crate) fn out(pool: &Pool, id: &str) -> Option<OutReason> {
    match look(pool, id).standing {
        Standing::Out { reason, .. } => Some(reason),
        _ => None,
    }
}

/// Lets the pools follow.
pub(crate) async fn two_seconds() {
    tokio::time::sleep(seconds(2)).await;
}

/// Sends one request that each token is answered with so.
pub(crate) async fn send(pool: &Pool, statuses: &[(&str, u16)]) -> u16 {
    MarathonLayer::new(pool.clone()).layer(refusing(statuses)).oneshot(post()).await.unwrap().status().as_u16()
}

pub(crate) async fn scripted_of(ids: &[&str]) -> ScriptedStore {
    let store = ScriptedStore::new();
    for id in ids {
        put(&store, static_key(id)).await;
    }
    store
}
