//! Changes of records: by other processes, which the pool follows, and by the pool, which the store gets.

use oauth_marathon::store::{Record, Store};
use oauth_marathon::{Credential, ErrorKind, Generation, Secret};
use oauth_marathon_test::ScriptedStore;

use crate::mirror::stores::{
    builder, held, ids, put, put_record, remove, scripted_of, send, static_key, store_of, two_seconds,
};
use crate::support::accounts::{look, names, seconds, settle};

#[tokio::test(start_paused = true)]
async fn what_others_change_appears_within_two_seconds() {
    let store = store_of(&["a", "b"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();

    put(&store, static_key("c")).await;
    two_seconds().await;
    assert_eq!(ids(&pool), ["a", "b", "c"]);

    remove(&store, "a").await;
    two_seconds().await;
    assert_eq!(ids(&pool), ["b", "c"]);

    store.set_order("openai", &["c".into(), "b".into()]).await.unwrap();
    two_seconds().await;
    assert_eq!(ids(&pool), ["c", "b"]);

    put_record(&store, Record::new(Credential::new("c", Secret::new("other")).label("C"), Generation::new(2))).await;
    two_seconds().await;
    assert_eq!((look(&pool, "c").generation.get(), look(&pool, "c").label), (2, "C".to_owned()));
    assert_eq!(names(&mut events), ["refreshed"]);
    assert_eq!(send(&pool, &[("c", 500)]).await, 200);

    put_record(
        &store,
        Record::new(Credential::new("c", Secret::new("other")).label("D").header("x-key"), Generation::new(2)),
    )
    .await;
    two_seconds().await;
    assert_eq!(look(&pool, "c").label, "D");
    assert_eq!(names(&mut events), [""; 0], "it is the same token");

    // One that comes back is another one.
    put(&store, static_key("a")).await;
    two_seconds().await;
    assert_eq!(
        (ids(&pool), look(&pool, "a").generation.get()),
        (vec!["c".to_owned(), "b".to_owned(), "a".to_owned()], 2)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_in_the_pool_is_in_the_store_and_in_all_other_pools() {
    let store = store_of(&["a"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    one.add(static_key("b")).unwrap();
    one.update("a", Secret::new("a2")).unwrap();
    one.flush().await.unwrap();
    let a = held(&store, "a").await.unwrap();
    assert_eq!((a.generation.get(), a.credential.material()), (2, &Secret::new("a2").into()));
    assert_eq!(look(&one, "a").generation.get(), 2);
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
    two_seconds().await;
    assert_eq!((ids(&other), look(&other, "a").generation.get()), (vec!["a".to_owned(), "b".to_owned()], 2));

    // Without a flush, too.
    assert!(other.remove("a"));
    two_seconds().await;
    assert_eq!((held(&store, "a").await, ids(&one)), (None, vec!["b".to_owned()]));

    one.replace(vec![static_key("d"), static_key("c"), static_key("b")]).unwrap();
    two_seconds().await;
    assert_eq!((ids(&one), ids(&other)), (vec!["d".to_owned(), "c".to_owned(), "b".to_owned()], ids(&one)));
}

#[tokio::test(start_paused = true)]
async fn an_update_wins_over_what_others_have_stored_meanwhile() {
    let store = store_of(&["a"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    // Not followed yet.
    put_record(&store, Record::new(Credential::new("a", Secret::new("theirs")), Generation::new(9))).await;
    pool.update("a", Secret::new("ours")).unwrap();
    pool.flush().await.unwrap();
    two_seconds().await;
    let a = held(&store, "a").await.unwrap();
    assert_eq!((a.generation.get(), a.credential.material()), (10, &Secret::new("ours").into()));
    assert_eq!(look(&pool, "a").generation.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_the_pool_goes_on_from_memory_and_catches_up() {
    let store = ScriptedStore::new();
    put(&store, static_key("a")).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();
    store.set_unwritable(true);
    pool.add(static_key("b")).unwrap();
    let error = pool.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("could not be stored: scripted: the store cannot be written"), "{error}");
    tokio::time::sleep(seconds(600)).await;
    assert_eq!((ids(&pool), send(&pool, &[("a", 429)]).await), (vec!["a".to_owned(), "b".to_owned()], 200));
    let told = names(&mut events);
    assert_eq!(told.iter().filter(|name| **name == "store_failed").count(), 1, "{told:?}");
    store.set_unwritable(false);
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
    let _ = names(&mut events);

    // The same for reading.
    store.set_unreadable(true);
    put(store.memory(), static_key("c")).await;
    two_seconds().await;
    assert_eq!((ids(&pool), names(&mut events)), (vec!["b".to_owned(), "a".to_owned()], vec!["store_failed"]));
    store.set_unreadable(false);
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(ids(&pool).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_used_costs_that_change_alone() {
    let store = store_of(&["a", "b"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();
    put_record(&store, Record::new(Credential::new("a", Secret::new("bad\n")), Generation::new(2))).await;
    put(&store, static_key("c")).await;
    two_seconds().await;
    assert_eq!((ids(&pool), look(&pool, "a").generation.get()), (vec!["a".into(), "b".into(), "c".into()], 1));
    assert_eq!(names(&mut events), ["store_failed"]);
    assert_eq!(send(&pool, &[]).await, 200);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_pool_stays_after_it() {
    for shut_down in [false, true] {
        let store = scripted_of(&["a"]).await;
        let pool = builder(store.clone()).open().await.unwrap();
        settle().await;
        assert!(store.clones() > 1);
        pool.add(static_key("b")).unwrap();
        if shut_down {
            pool.shutdown().await;
            assert!(held(&store, "b").await.is_some());
        }
        drop(pool);
        settle().await;
        assert_eq!(store.clones(), 1, "{shut_down}");
    }
}
