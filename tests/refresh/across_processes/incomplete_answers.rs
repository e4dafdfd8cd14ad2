//! Answers of the OAuth server that lack a part: no refresh token that came is lost.

use std::time::Duration;

use oauth_marathon::store::MemoryStore;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{MarathonLayer, Pool, TokenSet};
use oauth_marathon_test::{Reply, Save, ScriptedProvider, ScriptedStore};
use tower::{Layer, ServiceExt};

use super::{HOUR, endpoint, held, out, process, refused, send, server, spent};
use crate::support::accounts::{ORIGIN, day, look, names, oauth, post, seconds, wall};

/// A success without anything that could be kept: the refresh token may be spent.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_success_without_a_token_is_a_lost_refresh() {
    let ok = |body: &str| Reply::ok().body(body.to_owned());
    let answers = [
        ok(""),
        ok("{}"),
        ok("<!DOCTYPE html><html>sign in</html>"),
        ok(r#"{"access_token":"a b"}"#),
        ok(r#"{"access_token":"a"#),
        ok(r#"["a","r"]"#),
        ok("\u{1f}gzip").header("content-encoding", "gzip"),
        ok(&" ".repeat(2 << 20)),
        Reply::status(204),
        // A proxy in trouble does not know what became of it.
        Reply::status(500),
        Reply::status(502),
        Reply::status(504),
    ];
    for answer in answers {
        let (server, store) = (server([answer.clone(), refused()]), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        let record = held(&store).await;
        assert!(record.intent.is_some_and(|intent| intent.ended) && record.health.out.is_none(), "{answer:?}");
        tokio::time::advance(HOUR).await;
        assert!(pool.remove("b") && stack.clone().oneshot(post()).await.is_err());
        assert_eq!((out(&pool), spent(&server).len()), (Some(OutReason::RefreshLost), 2), "{answer:?}");
        assert_eq!(held(&store).await.health.out, Some(OutReason::RefreshLost), "{answer:?}");
    }
}

/// The old refresh token is spent for the new one, which must not be lost over what else the answer lacks.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_comes_without_a_usable_access_token_is_sent_next() {
    let bodies = [
        r#"{"refresh_token":"a-r2"}"#,
        r#"{"access_token":"a b","refresh_token":"a-r2"}"#,
        r#"{"access_token":"a-2","error":"slow_down","refresh_token":"a-r2"}"#,
        r#"{"error":"invalid_grant","refreshToken":"a-r2"}"#,
        r#"{"refresh_token":"a-r2","access_token":"#,
    ];
    for body in bodies {
        let third = Reply::ok().body(r#"{"access_token":"a-3","refresh_token":"a-r3","expires_in":3600}"#);
        let (server, store) = (server([Reply::ok().body(body), third]), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        assert_eq!((look(&pool, "b").successes, out(&pool)), (1, None), "{body}: it cools for a while");
        let record = held(&store).await;
        let tokens = record.credential.material().clone();
        assert_eq!((record.generation.get(), record.intent), (2, None), "{body}");
        let kept = TokenSet::new("a-1").with_refresh("a-r2").expires_at(day(Duration::ZERO));
        assert_eq!(tokens, kept.into(), "{body}: the old access token counts as expired");
        // Another process that comes now goes on from there, too.
        let (other, through, _) = process(&server, &store, Duration::ZERO);
        send(&through).await;
        assert_eq!((spent(&server), look(&other, "a").generation.get()), (vec!["a-r1".into(), "a-r2".into()], 3));
        tokio::time::advance(seconds(31)).await;
        assert!(pool.remove("b"));
        send(&stack).await;
        assert_eq!((spent(&server).len(), look(&pool, "a").generation.get(), look(&pool, "a").successes), (2, 3, 1));
    }
}

/// A refresh token that came without an access token, while the store cannot be written.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_came_alone_is_kept_in_memory_until_it_is_stored() {
    let third = Reply::ok().body(r#"{"access_token":"a-3","refresh_token":"a-r3","expires_in":3600}"#);
    let server = server([Reply::ok().body(r#"{"refresh_token":"a-r2"}"#), third]);
    let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
    let pool =
        Pool::builder("openai").origin(ORIGIN).token_source(endpoint(&server)).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    let mut events = pool.events();
    assert!(stack.clone().oneshot(post()).await.is_err());
    assert_eq!(names(&mut events)[..2], ["store_failed", "refresh_failed"]);
    assert_eq!(held(store.memory()).await.generation.get(), 1);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(held(store.memory()).await.generation.get(), 2, "it is stored soon");
    tokio::time::advance(seconds(31)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(spent(&server), ["a-r1", "a-r2"]);
}
