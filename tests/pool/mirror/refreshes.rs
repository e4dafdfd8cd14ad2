//! Tokens that are replaced while several pools follow one store.

use std::time::{Duration, SystemTime};

use oauth_marathon::store::{Intent, MemoryStore, Record, Store};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Generation, MarathonLayer};
use oauth_marathon_test::{Grant, ScriptedProvider, ScriptedTokens};
use tower::{Layer, ServiceExt};

use crate::mirror::stores::{HOUR, builder, held, ids, out, put, put_record, remove, send, store_of, two_seconds};
use crate::support::accounts::{look, names, oauth, post, rotating, settle, wall};

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_began_is_taken_up_when_the_pool_opens() {
    for (refused, reason) in [(false, None), (true, Some(OutReason::RefreshLost))] {
        let server = match refused {
            true => ScriptedTokens::new().otherwise(Grant::refused()),
            false => rotating(wall(), HOUR),
        };
        let store = store_of(&["b"]).await;
        let mut record = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(3));
        record.intent = Some(Intent::new(Generation::new(3), SystemTime::UNIX_EPOCH));
        put_record(&store, record).await;
        let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
        let mut events = pool.events();
        settle().await;
        assert_eq!((server.spent(), out(&pool, "a")), (vec!["a-r1".to_owned()], reason));
        let expected = if refused { vec!["out"] } else { vec!["refreshed"] };
        assert_eq!((names(&mut events), send(&pool, &[]).await), (expected, 200));
        assert_eq!(held(&store, "a").await.unwrap().intent, None);

        // The next start knows it from the store, and sends nothing to the token endpoint.
        let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
        settle().await;
        assert_eq!((server.exchanges().len(), out(&pool, "a")), (1, reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_one_refreshes_all_use() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, oauth("a", Some(Duration::ZERO))).await;
    let open = async || builder(store.clone()).token_source(server.clone()).open().await.unwrap();
    let (one, other) = (open().await, open().await);
    assert_eq!(send(&one, &[("a-1", 500)]).await, 200);
    two_seconds().await;
    assert_eq!(look(&other, "a").generation.get(), 2, "without a request");
    assert_eq!(send(&other, &[("a-1", 500)]).await, 200);
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_removed_while_it_is_refreshed_stays_removed() {
    let server = rotating(wall(), HOUR);
    let store = store_of(&["b"]).await;
    put(&store, oauth("a", Some(Duration::ZERO))).await;
    store.set_order("openai", &["a".into()]).await.unwrap();
    let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
    server.hold();
    let client = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    let call = tokio::spawn(client.oneshot(post()));
    settle().await;
    assert!(look(&pool, "a").refreshing);
    remove(&store, "a").await;
    two_seconds().await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    server.release();
    two_seconds().await;
    assert_eq!((ids(&pool), held(&store, "a").await), (vec!["b".to_owned()], None));
}
