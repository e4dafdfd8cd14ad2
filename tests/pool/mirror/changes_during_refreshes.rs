//! A change in one pool meets a refresh, its own or that of another pool: no spent refresh token is stored, no new one lost.

use std::time::Duration;

use oauth_marathon::store::{MemoryStore, Record, Store};
use oauth_marathon::{Credential, MarathonLayer, Material, Pool, TokenSet};
use oauth_marathon_test::{Save, ScriptedStore, ScriptedTokens};
use tower::{Layer, ServiceExt};

use crate::mirror::stores::{HOUR, builder, held, ids, put, remove, send, two_seconds};
use crate::support::accounts::{look, oauth, post, refusing, rotating, seconds, settle, wall};

async fn open(store: &(impl Store + Clone), server: &ScriptedTokens) -> Pool {
    builder(store.clone()).token_source(server.clone()).open().await.unwrap()
}

/// Its token `a-1` has expired.
fn a() -> Credential {
    oauth("a", Some(Duration::ZERO))
}

fn of_a_person() -> TokenSet {
    TokenSet::new("p").with_refresh("p-r")
}

/// The generation and the refresh token that a store holds.
async fn stored(store: &impl Store) -> (u64, String) {
    let Record { credential, generation, .. } = held(store, "a").await.unwrap();
    let Material::OAuth(tokens) = credential.material() else { panic!("{credential:?}") };
    (generation.get(), tokens.refresh().unwrap().expose().to_owned())
}

fn holds(generation: u64, refresh: &str) -> (u64, String) {
    (generation, refresh.to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_addition_that_waits_to_be_stored_is_not_written_over_its_own_refresh() {
    let server = rotating(wall(), HOUR);
    // The addition cannot be stored at once. By the time it is tried again, the store has taken a new token and not said so.
    let saves = [Save::Fails, Save::Works, Save::Late(seconds(5))];
    let store = ScriptedStore::new().saves(saves);
    let pool = open(&store, &server).await;
    pool.add(a()).unwrap();
    settle().await;
    assert_eq!(send(&pool, &[("a-1", 401)]).await, 200);
    pool.flush().await.unwrap();
    assert_eq!(stored(store.memory()).await, holds(2, "a-r2"));
    assert_eq!(look(&pool, "a").generation.get(), 2);
    two_seconds().await;
    tokio::time::advance(HOUR).await;
    assert_eq!(send(&pool, &[]).await, 200);
    assert_eq!(server.spent(), ["a-r1", "a-r2"]);
}

/// Those who wait for one turn must not pass it to each other for ever.
#[tokio::test(start_paused = true)]
async fn flushes_that_wait_for_one_refresh_all_end_after_it() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let pool = open(&store, &server).await;
    server.hold();
    let request = tokio::spawn({
        let pool = pool.clone();
        async move { send(&pool, &[]).await }
    });
    settle().await;
    pool.replace(vec![a().label("new")]).unwrap();
    let flush = || {
        let pool = pool.clone();
        tokio::spawn(async move { pool.flush().await.unwrap() })
    };
    let flushes = [flush(), flush(), flush()];
    settle().await;
    assert!(flushes.iter().all(|flush| !flush.is_finished()));
    server.release();
    for _ in 0..1_000 {
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert!(flushes.iter().all(tokio::task::JoinHandle::is_finished));
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(stored(&store).await, holds(2, "a-r2"));
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_the_refresh_that_comes_first_and_other_changes_do_not() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let pool = open(&store, &server).await;
    server.hold();
    let request = tokio::spawn({
        let pool = pool.clone();
        async move { send(&pool, &[]).await }
    });
    settle().await;
    pool.replace(vec![a().label("new"), oauth("b", None)]).unwrap();
    settle().await;
    assert!(held(&store, "b").await.is_some(), "nobody else has to wait");
    let mut flush = tokio_test::task::spawn(pool.flush());
    assert!(flush.poll().is_pending());
    server.release();
    assert_eq!(request.await.unwrap(), 200);
    flush.await.unwrap();
    assert_eq!(stored(&store).await, holds(2, "a-r2"));
    assert_eq!(look(&open(&store, &server).await, "a").label, "new");
}

#[tokio::test(start_paused = true)]
async fn what_others_have_added_and_refreshed_already_is_taken_over() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    let (one, other) = (open(&store, &server).await, open(&store, &server).await);
    one.add(a()).unwrap();
    assert_eq!(send(&one, &[]).await, 200);
    other.add(a()).unwrap();
    other.flush().await.unwrap();
    assert_eq!(stored(&store).await, holds(2, "a-r2"));
    assert_eq!((look(&other, "a").generation.get(), send(&other, &[("a-1", 401)]).await), (2, 200));
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_label_goes_beside_the_token_that_another_pool_has_refreshed() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let (one, other) = (open(&store, &server).await, open(&store, &server).await);
    assert_eq!(send(&one, &[]).await, 200);
    other.replace(vec![a().label("new")]).unwrap();
    other.flush().await.unwrap();
    assert_eq!(stored(&store).await, holds(2, "a-r2"));
    assert_eq!(look(&other, "a").generation.get(), 2);
    two_seconds().await;
    assert_eq!(look(&one, "a").label, "new");
    assert_eq!((send(&one, &[("a-1", 401)]).await, send(&other, &[("a-1", 401)]).await), (200, 200));
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_label_does_not_cost_the_token_that_another_pool_is_about_to_get() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let (one, other) = (open(&store, &server).await, open(&store, &server).await);
    server.hold();
    let request = tokio::spawn(async move { send(&one, &[]).await });
    settle().await;
    other.replace(vec![a().label("new")]).unwrap();
    other.flush().await.unwrap();
    assert!(held(&store, "a").await.unwrap().intent.is_some(), "the refresh has not ended");
    server.release();
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(stored(&store).await, holds(2, "a-r2"));
    two_seconds().await;
    assert_eq!((look(&other, "a").generation.get(), look(&other, "a").label), (2, "new".to_owned()));
    assert_eq!(look(&open(&store, &server).await, "a").label, "new");
}

#[tokio::test(start_paused = true)]
async fn a_new_label_does_not_bring_back_what_others_have_removed() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let pool = open(&store, &server).await;
    remove(&store, "a").await;
    pool.replace(vec![a().label("new")]).unwrap();
    pool.flush().await.unwrap();
    assert_eq!((held(&store, "a").await, ids(&pool).len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_person_win_over_whatever_others_have_stored() {
    // Put in place of the old ones, or of an account that was removed for it.
    for again in [false, true] {
        let server = rotating(wall(), HOUR);
        let store = MemoryStore::new();
        put(&store, a()).await;
        let (one, other) = (open(&store, &server).await, open(&store, &server).await);
        assert_eq!(send(&one, &[]).await, 200);
        if again {
            assert!(other.remove("a"));
            other.add(Credential::new("a", of_a_person())).unwrap();
        } else {
            other.update("a", of_a_person()).unwrap();
        }
        other.flush().await.unwrap();
        assert_eq!(stored(&store).await, holds(3, "p-r"));
        two_seconds().await;
        let generations = [&one, &other].map(|pool| look(pool, "a").generation.get());
        assert_eq!((generations, send(&one, &[("a-2", 500)]).await), ([3, 3], 200));
        assert_eq!(server.spent(), ["a-r1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_person_are_stored_once_and_then_refreshed_like_others() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, a()).await;
    let (one, other) = (open(&store, &server).await, open(&store, &server).await);
    // Put in, not stored yet, and refused at once: they are refreshed first.
    one.update("a", of_a_person()).unwrap();
    assert_eq!(send(&one, &[("p", 401)]).await, 200);
    two_seconds().await;
    assert_eq!(server.spent(), ["p-r"]);
    assert_eq!(send(&other, &[("p", 500)]).await, 200);
    // The other one refreshes what came of them, and the first one knows.
    tokio::time::advance(HOUR).await;
    assert_eq!(send(&other, &[]).await, 200);
    assert_eq!(send(&one, &[]).await, 200);
    assert_eq!(server.spent(), ["p-r", "a-r2"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_while_a_new_token_is_stored_late_is_stored_after_it() {
    let server = rotating(wall(), HOUR);
    let store = ScriptedStore::new();
    put(store.memory(), a()).await;
    let pool = open(&store, &server).await;
    // The intent is noted, the new token cannot be stored at once, and then only slowly.
    let store = store.saves([Save::Works, Save::Fails, Save::Late(seconds(5))]);
    assert_eq!(send(&pool, &[("a-1", 401)]).await, 200);
    tokio::time::sleep(seconds(1)).await;
    pool.update("a", of_a_person()).unwrap();
    settle().await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(stored(store.memory()).await, holds(3, "p-r"), "nobody had to flush");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_removed_and_added_again_beside_its_refresh_sends_nothing_twice() {
    for (is_opened, is_added_late) in [(true, false), (true, true), (false, false), (false, true)] {
        let server = rotating(wall(), HOUR);
        let store = MemoryStore::new();
        put(&store, a()).await;
        let builder = builder(store.clone()).token_source(server.clone());
        let pool = match is_opened {
            true => builder.open().await.unwrap(),
            false => builder.credential(a()).build().unwrap(),
        };
        server.hold();
        let request = tokio::spawn({
            let pool = pool.clone();
            async move { MarathonLayer::new(pool).layer(refusing(&[])).oneshot(post()).await.is_ok() }
        });
        settle().await;
        assert!(pool.remove("a"));
        if is_added_late {
            settle().await;
        }
        pool.add(a()).unwrap();
        settle().await;
        server.release();
        let _ = request.await;
        settle().await;
        two_seconds().await;
        assert_eq!(send(&pool, &[("a-1", 401)]).await, 200, "{is_opened} {is_added_late}");
        pool.flush().await.unwrap();
        assert_eq!(server.spent(), ["a-r1"], "{is_opened} {is_added_late}");
        assert_eq!(stored(&store).await, holds(2, "a-r2"), "{is_opened} {is_added_late}");
        tokio::time::advance(HOUR).await;
        assert_eq!(send(&pool, &[("a-1", 401)]).await, 200, "{is_opened} {is_added_late}");
        assert_eq!(server.spent(), ["a-r1", "a-r2"], "{is_opened} {is_added_late}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_and_added_again_is_stored_whether_its_removal_was_stored_or_not() {
    let store = ScriptedStore::new();
    put(store.memory(), a()).await;
    let pool = open(&store, &rotating(wall(), HOUR)).await;
    let store = store.saves([Save::Late(seconds(5))]);
    for pause in [seconds(0), seconds(1), seconds(10)] {
        assert!(pool.remove("a"));
        settle().await;
        tokio::time::sleep(pause).await;
        pool.add(a()).unwrap();
        pool.flush().await.unwrap();
        two_seconds().await;
        assert_eq!(
            (ids(&pool), stored(store.memory()).await.1),
            (vec!["a".to_owned()], "a-r1".to_owned()),
            "{pause:?}"
        );
    }
}
