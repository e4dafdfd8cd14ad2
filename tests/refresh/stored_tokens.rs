//! Refreshes and the store: what another process has done already is adopted, and a broken store loses no login.

use std::time::Duration;

use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, Cooldown, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::RefreshError;
use oauth_marathon::verdict::{Kind, Scope};
use oauth_marathon::{Credential, Error, ErrorKind, Generation, Marathon, MarathonLayer, Material, Pool, TokenSet};
use oauth_marathon_test::{Grant, Reply, Save, ScriptedProvider, ScriptedStore, ScriptedTokens, StoreCall};
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, day, look, names, oauth, post, rotating, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

async fn put(store: &MemoryStore, record: Record) {
    assert!(matches!(store.compare_and_set(&key(), None, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
}

/// The generation and the tokens that the store holds.
async fn held(store: &MemoryStore) -> (u64, TokenSet) {
    let record = store.load(&key()).await.unwrap().unwrap().record;
    let Material::OAuth(tokens) = record.credential.material().clone() else { panic!("{record:?}") };
    (record.generation.get(), tokens)
}

fn key() -> StoreKey {
    StoreKey::new("openai", "a")
}

fn stored(access: &str, generation: u64) -> Record {
    let tokens = TokenSet::new(access).with_refresh(format!("{access}-refresh")).expires_at(day(HOUR));
    Record::new(Credential::new("a", tokens), Generation::new(generation))
}

/// A pool of one account whose token has expired; the stack refuses that token.
fn expired(server: &ScriptedTokens, store: impl Store) -> (Pool, Marathon<ScriptedProvider>) {
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).store(store).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let provider = ScriptedProvider::new().always("a-1", Reply::panic());
    let stack = MarathonLayer::new(pool.clone()).layer(provider);
    (pool, stack)
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_stored_before_the_exchange_and_the_new_token_before_it_is_used() {
    let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new());
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let seen = store.clone();
    let provider = ScriptedProvider::new().answering(move |_| {
        assert_eq!(seen.take_calls(), [StoreCall::Lease, StoreCall::Load, StoreCall::Intent, StoreCall::Save]);
        None
    });
    MarathonLayer::new(pool).layer(provider.clone()).oneshot(post()).await.unwrap();
    assert_eq!((provider.tokens(), store.take_calls()), (vec!["a-2".to_owned()], vec![]));
    let (generation, kept) = held(store.memory()).await;
    assert_eq!((generation, kept.access().expose()), (2, "a-2"));
    assert_eq!(kept.refresh().unwrap().expose(), "a-r2");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_spends_no_refresh_token() {
    let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new());
    store.set_unreadable(true);
    let (pool, stack) = expired(&server, store.clone());
    let error = stack.clone().oneshot(post()).await.unwrap_err();
    let error = Error::find(&*error).unwrap();
    assert_eq!(error.kind(), ErrorKind::Refresh);
    assert!(error.to_string().contains("the token store could not be read"), "{error}");
    assert_eq!(server.exchanges().len(), 0);
    assert!(matches!(look(&pool, "a").standing, Standing::Cooling { cooldown, .. } if cooldown == seconds(30)));

    store.set_unreadable(false);
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_could_not_be_noted_is_not_begun() {
    let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new());
    store.set_unwritable(true);
    let (pool, stack) = expired(&server, store.clone());
    let mut events = pool.events();
    let error = stack.clone().oneshot(post()).await.unwrap_err();
    let cause = Error::find(&*error).unwrap().to_string();
    assert!(
        cause.contains("not begun, as the token store could not be written: scripted: the store cannot be written"),
        "{cause}"
    );
    assert_eq!((server.exchanges().len(), names(&mut events)[0]), (0, "refresh_failed"));

    store.set_unwritable(false);
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_stays_in_use_while_the_store_is_full() {
    let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new());
    store.set_unwritable(true);
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).store(store).clock(wall());
    let pool = pool.credential(oauth("a", Some(HOUR))).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    tokio::time::advance(seconds(3500)).await;
    let mut events = pool.events();
    for _ in 0..10 {
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
        settle().await;
    }
    assert_eq!((server.exchanges().len(), look(&pool, "a").standing), (0, Standing::Ready));
    assert_eq!(names(&mut events), ["refresh_failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_cannot_be_stored_is_used_from_memory_and_stored_soon() {
    for save in [Save::Fails, Save::WorksAndFails, Save::Hangs] {
        let server = rotating(wall(), HOUR);
        let store = ScriptedStore::new().saves([Save::Works, save.clone(), Save::Fails, Save::Fails]);
        let (pool, stack) = expired(&server, store.clone());
        let mut events = pool.events();
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200, "{save:?}");
        assert_eq!(look(&pool, "a").generation.get(), 2);
        assert_eq!(names(&mut events), ["store_failed", "refreshed"], "{save:?}");
        let lease = store.lease(&key(), Duration::ZERO).await.unwrap();
        assert!(lease.is_none(), "{save:?}: nobody else may try the old refresh token meanwhile");
        tokio::time::sleep(seconds(10)).await;
        let (generation, kept) = held(store.memory()).await;
        assert_eq!((generation, kept.refresh().unwrap().expose()), (2, "a-r2"), "{save:?}");
        assert!(store.lease(&key(), seconds(1)).await.unwrap().is_some(), "{save:?}: the lease is given back");
        assert_eq!(server.spent(), ["a-r1"], "{save:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_waits_to_be_stored_is_refreshed_in_its_turn() {
    let server = rotating(wall(), HOUR);
    let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
    let (_pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
    store.set_unwritable(true);
    tokio::time::advance(HOUR).await;
    assert!(stack.clone().oneshot(post()).await.is_err(), "the next refresh cannot be noted either");
    assert_eq!(server.spent(), ["a-r1"]);
    store.set_unwritable(false);
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1", "a-r2"]);
    assert_eq!(held(store.memory()).await.0, 3);
    tokio::time::sleep(seconds(61)).await;
    assert_eq!(held(store.memory()).await.0, 3, "nothing older is stored over it");
    assert!(store.lease(&key(), seconds(1)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_stores_what_waits_to_be_stored() {
    let server = rotating(wall(), HOUR);
    let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(held(store.memory()).await.0, 1);
    pool.shutdown().await;
    assert_eq!(held(store.memory()).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_in_the_store_is_adopted_without_an_exchange() {
    let (server, store) = (rotating(wall(), HOUR), MemoryStore::new());
    put(&store, stored("theirs", 7)).await;
    let (pool, stack) = expired(&server, store.clone());
    let mut events = pool.events();
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.exchanges().len()), (7, 0));
    assert_eq!(names(&mut events), ["refreshed"]);

    // The one after it goes on from there.
    tokio::time::advance(HOUR).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["theirs-refresh"]);
    assert_eq!(held(&store).await.0, 8);
}

#[tokio::test(start_paused = true)]
async fn an_older_token_in_the_store_is_replaced() {
    let (server, store) = (rotating(wall(), HOUR), MemoryStore::new());
    put(&store, stored("older", 1)).await;
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    // Each of the three secrets has a generation of its own.
    assert_eq!((look(&pool, "a").generation.get(), server.spent()), (3, vec!["a-r1".to_owned()]));
    assert_eq!(held(&store).await.1.access().expose(), "a-2");
}

#[tokio::test(start_paused = true)]
async fn whoever_was_quicker_meanwhile_is_followed() {
    // Before the exchange, so that there is none, and after it.
    let theirs = || Save::After(Box::new(stored("theirs", 5)));
    for (saves, exchanges) in [(vec![theirs()], 0), (vec![Save::Works, theirs()], 1)] {
        let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new().saves(saves));
        let (pool, stack) = expired(&server, store.clone());
        assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
        assert_eq!((look(&pool, "a").generation.get(), server.exchanges().len()), (5, exchanges));
        assert_eq!(look(&pool, "a").expires_at, Some(day(HOUR)));
        assert_eq!(held(store.memory()).await.1.access().expose(), "theirs");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_by_others_wins_over_a_refresh_and_is_not_undone() {
    let (server, store) = (rotating(wall(), HOUR), ScriptedStore::new().saves([Save::Works, Save::AfterRemoval]));
    let (pool, stack) = expired(&server, store.clone());
    let error = stack.oneshot(post()).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::NoCredential);
    assert!(pool.snapshot().credentials.is_empty());
    assert_eq!((store.memory().load(&key()).await.unwrap(), server.exchanges().len()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_meanwhile_is_kept_beside_the_new_token() {
    let ours = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(1));
    let mut cooled = ours.clone();
    cooled.health.cooldowns.push(Cooldown::new(Kind::Billing, day(HOUR)));
    let server = rotating(wall(), HOUR);
    let store = ScriptedStore::new().saves([Save::Works, Save::After(Box::new(cooled.clone()))]);
    put(store.memory(), ours).await;
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.exchanges().len()), (2, 1));
    let kept = store.memory().load(&key()).await.unwrap().unwrap().record;
    assert_eq!((kept.generation.get(), &kept.health), (2, &cooled.health));
    assert_eq!(held(store.memory()).await.1.access().expose(), "a-2");
}

#[tokio::test(start_paused = true)]
async fn two_pools_over_one_store_exchange_once() {
    let (server, store) = (rotating(wall(), HOUR), MemoryStore::new());
    let (first_pool, first) = expired(&server, store.clone());
    let (second_pool, second) = expired(&server, store);
    assert_eq!(first.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(second.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
    for pool in [&first_pool, &second_pool] {
        assert_eq!(look(pool, "a").generation.get(), 2);
    }
    // In turn: the first one exchanges for both.
    tokio::time::advance(HOUR).await;
    assert_eq!(second.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(first.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1", "a-r2"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_in_memory_alone_is_the_next_one_to_be_sent_unless_a_person_puts_in_another() {
    for of_a_person in [false, true] {
        let unreadable = RefreshError::transient("scripted: no access token").with_refresh_token("a-r2");
        let server = ScriptedTokens::new().on("a", [Grant::error(unreadable)]);
        let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
        let (pool, stack) = expired(&server, store.clone());
        assert!(stack.clone().oneshot(post()).await.is_err());
        if of_a_person {
            let tokens = TokenSet::new("p").with_refresh("p-r").expires_at(day(Duration::ZERO));
            pool.update("a", tokens).unwrap();
        }
        assert!(pool.clear("a", Scope::Credential));
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200, "the store works again");
        let next = if of_a_person { "p-r" } else { "a-r2" };
        assert_eq!(server.spent(), ["a-r1", next]);
        tokio::time::sleep(seconds(100)).await;
        assert_eq!(held(store.memory()).await.1.refresh().unwrap().expose(), format!("{next}+"));
    }
}
