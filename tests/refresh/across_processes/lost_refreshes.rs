//! What a process that died in a refresh leaves behind, and what a refusal means then.

use std::time::Duration;

use oauth_marathon::events::Event;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{MemoryStore, Store};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Error, ErrorKind, MarathonLayer, Pool};
use oauth_marathon_test::{Grant, ScriptedProvider, ScriptedTokens};
use tower::{Layer, ServiceExt};

use super::{
    EXCHANGE, busy, fresh, held, interrupted, key, lost, out, process, process_over, put, refused, refused_after, send,
    server, spent, theirs,
};
use crate::support::accounts::{ORIGIN, look, names, oauth, post, seconds, settle, wall};

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_began_is_tried_once_and_recovers_where_the_server_lets_it() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    put(&store, interrupted()).await;
    let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
    assert_eq!((names(&mut events), held(&store).await.intent), (vec!["refreshed"], None));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_lost_is_named_costs_this_credential_alone_and_is_known_to_all() {
    let (server, store) = (server([refused()]), MemoryStore::new());
    put(&store, interrupted()).await;
    for _ in 0..3 {
        let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        assert_eq!(out(&pool), Some(OutReason::RefreshLost));
        assert_eq!(look(&pool, "b").successes, 1);
        let event = events.try_recv().unwrap();
        assert!(matches!(event, Event::Out { reason: OutReason::RefreshLost, .. }), "{event}");
        assert_eq!(spent(&server), ["a-r1"], "it is not tried again");
    }
    assert_eq!(held(&store).await.health.out, Some(OutReason::RefreshLost));

    // A new login ends it.
    put(&store, theirs(2)).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((look(&pool, "a").standing, look(&pool, "a").generation.get()), (Standing::Ready, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_lost_refresh_only_after_one_that_had_no_answer() {
    let cases = [
        (vec![refused()], OutReason::RefreshRefused),
        (vec![lost(), refused()], OutReason::RefreshLost),
        (vec![lost(), lost(), refused()], OutReason::RefreshLost),
        (vec![busy(), refused()], OutReason::RefreshRefused),
        (vec![lost(), busy(), refused()], OutReason::RefreshLost),
    ];
    for (script, reason) in cases {
        let (server, store) = (server(script.clone()), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        assert!(pool.remove("b"));
        for _ in &script {
            assert!(stack.clone().oneshot(post()).await.is_err());
            tokio::time::advance(seconds(31)).await;
        }
        assert_eq!(out(&pool), Some(reason), "{script:?}");
        assert_eq!((held(&store).await.intent, held(&store).await.health.out), (None, Some(reason)), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_others_have_stored_a_newer_token_is_no_failure() {
    let store = MemoryStore::new();
    let source = refused_after(Some(theirs(2)), &store);
    let (pool, stack, mut events) = process_over(source, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((look(&pool, "a").generation.get(), look(&pool, "a").successes), (2, 1));
    assert_eq!((names(&mut events), held(&store).await), (vec!["refreshed"], theirs(2)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_others_have_removed_the_credential_only_removes_it() {
    let store = MemoryStore::new();
    let source = refused_after(None, &store);
    let (pool, stack, mut events) = process_over(source, &store, Duration::ZERO);
    send(&stack).await;
    assert!(pool.snapshot().credential("a").is_none());
    assert_eq!((names(&mut events), store.load(&key()).await.unwrap()), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_it_refreshes_leaves_the_lease_and_the_intent_behind() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let waiting = ScriptedTokens::new().otherwise(Grant::pending());
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(waiting).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool).layer(ScriptedProvider::new());
    // Its own runtime, on a thread of its own, dies with all tasks.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(stack.oneshot(post()));
            settle().await;
        });
    })
    .join()
    .unwrap();
    assert_eq!(held(&store).await.intent.unwrap().generation.get(), 1);
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    tokio::time::advance(EXCHANGE).await;
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_only_login_is_lost_says_so() {
    let (server, store) = (server([refused()]), MemoryStore::new());
    put(&store, interrupted()).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    assert!(pool.remove("b"));
    let error = stack.oneshot(post()).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::LoginNeeded);
}
