//! The last status of a credential, noted in the store.

use std::time::Duration;

use oauth_marathon::MarathonLayer;
use oauth_marathon::store::{MemoryStore, Store};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, ServiceExt};

use crate::mirror::stores::{HOUR, builder, held, key, out, send, store_of, two_seconds};
use crate::support::accounts::{day, look, post, seconds, wall};

async fn last_status(store: &MemoryStore, id: &str) -> Option<u16> {
    held(store, id).await.unwrap().health.last_status.map(|last| last.status.as_u16())
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_the_first_success_after_it_are_the_last_status() {
    let store = store_of(&["a", "b"]).await;
    let open = async || builder(store.clone()).open().await.unwrap();
    let pool = open().await;
    assert_eq!(send(&pool, &[("a", 429)]).await, 200);
    two_seconds().await;
    assert_eq!((last_status(&store, "a").await, last_status(&store, "b").await), (Some(429), None));
    let at = held(&store, "a").await.unwrap().health.last_status.unwrap().at;
    assert!(at <= day(Duration::ZERO) && at > day(Duration::ZERO) - seconds(3), "{at:?}");
    assert_eq!(look(&open().await, "a").last_status.unwrap().as_u16(), 429, "before its first answer");

    // Its cooldown is over before it is used again: there is nothing left to end.
    tokio::time::advance(seconds(31)).await;
    assert_eq!(send(&pool, &[("b", 402)]).await, 200);
    two_seconds().await;
    assert_eq!((last_status(&store, "a").await, last_status(&store, "b").await), (Some(200), Some(402)));
    let noted = store.load(&key("a")).await.unwrap().unwrap().revision;
    for _ in 0..100 {
        assert_eq!(send(&pool, &[]).await, 200);
    }
    two_seconds().await;
    assert_eq!(store.load(&key("a")).await.unwrap().unwrap().revision, noted, "nothing new");
}

#[tokio::test(start_paused = true)]
async fn the_first_success_is_noted_by_whoever_has_it() {
    let (store, clock) = (store_of(&["a"]).await, wall());
    let open = async || builder(store.clone()).clock(clock.clone()).open().await.unwrap();
    let (one, other) = (open().await, open().await);
    assert_eq!(send(&one, &[("a", 403)]).await, 403);
    two_seconds().await;
    assert_eq!(last_status(&store, "a").await, None, "no other credential says that it is at fault");
    assert_eq!(send(&one, &[("a", 402)]).await, 402);
    two_seconds().await;
    assert_eq!(last_status(&store, "a").await, Some(402));
    assert!(one.clear("a", Scope::Credential));
    two_seconds().await;
    assert_eq!(send(&other, &[]).await, 200);
    two_seconds().await;
    assert_eq!(last_status(&store, "a").await, Some(200));

    // After a restart too.
    assert_eq!(send(&one, &[("a", 402)]).await, 402);
    two_seconds().await;
    tokio::time::advance(HOUR).await;
    let late = open().await;
    assert_eq!(send(&late, &[]).await, 200);
    two_seconds().await;
    assert_eq!(last_status(&store, "a").await, Some(200));
}

#[tokio::test(start_paused = true)]
async fn who_alone_is_refused_and_who_is_banned_was_answered_so() {
    let store = store_of(&["a", "b"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    assert_eq!(send(&pool, &[("a", 403)]).await, 200);
    two_seconds().await;
    assert_eq!((last_status(&store, "a").await, last_status(&store, "b").await), (Some(403), None));

    let banned = |reply: &Answer<'_>| (reply.status() == 418).then_some(Verdict::new(Kind::Banned));
    let provider = ScriptedProvider::new().always("b", Reply::status(418));
    let stack = MarathonLayer::new(pool.clone()).classifier(classify_fn(banned)).layer(provider);
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 418);
    two_seconds().await;
    assert_eq!((out(&pool, "b"), last_status(&store, "b").await), (Some(OutReason::Banned), Some(418)));
}
