//! Changing the pool while it is in use.

use oauth_marathon::verdict::{Kind, Scope};
use oauth_marathon::{ErrorKind, Secret, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, key, login, pass, pool, post, seconds};

#[tokio::test(start_paused = true)]
async fn an_account_that_is_added_or_removed_counts_at_once() {
    let stage = Stage::new(
        pool(&["a"]),
        ScriptedProvider::new().on("a", [Reply::ok().after(seconds(5))]).always("a", Reply::status(429)),
    );
    let under_way = stage.spawn();
    pass(1).await;
    stage.pool.add(login("b")).unwrap();
    assert!(stage.pool.remove("a") && !stage.pool.remove("a"));
    assert_eq!(stage.order(), ["b"]);
    stage.post().await;
    assert_eq!(under_way.await.unwrap().status, 200, "what is under way goes on");
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.pool.add(login("b")).unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_effect_at_the_next_send() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new());
    stage.post().await;
    stage.pool.update("a", TokenSet::new("a2")).unwrap();
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "a2"]);
    assert_eq!(stage.of("a").generation.get(), 2);
    assert_eq!(stage.pool.update("x", TokenSet::new("x")).unwrap_err().kind(), ErrorKind::UnknownCredential);
    let error = stage.pool.update_by_refresh_token(&Secret::new("refresh-x"), TokenSet::new("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownCredential);
    assert!(!error.to_string().contains("refresh-x"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_update_leaves_the_old_token_in_use() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new());
    for secret in ["", " a", "a\r\nx: y", "é"] {
        assert_eq!(stage.pool.update("a", Secret::new(secret)).unwrap_err().kind(), ErrorKind::Config);
    }
    stage.post().await;
    assert_eq!(stage.tokens(), ["a"]);
    assert_eq!(stage.of("a").generation.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_update_wins_over_a_refresh_that_is_under_way() {
    let tokens = ScriptedTokens::new().always("a", Grant::fresh().after(seconds(5)));
    let stage = Stage::new(pool(&["a"]).token_source(tokens), ScriptedProvider::new().always("a", Reply::status(401)));
    let waiting = stage.spawn();
    pass(1).await;
    stage.pool.update("a", TokenSet::new("by-hand")).unwrap();
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(stage.tokens(), ["a", "by-hand"]);
}

#[tokio::test(start_paused = true)]
async fn clearing_ends_what_belongs_to_the_scope() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(401)));
    stage.post().await;
    assert!(stage.pool.clear("a", Scope::Network));
    assert_eq!(stage.cooldown("a").map(|(cause, _)| cause), Some(Kind::Unauthorized));
    assert!(stage.pool.clear("a", Scope::Generation));
    assert!(stage.all_ready());
    assert_eq!(stage.order(), ["b", "a"], "those that recover join the tail");
    assert!(!stage.pool.clear("x", Scope::Credential));
}

#[tokio::test(start_paused = true)]
async fn the_whole_set_is_replaced_in_one_step_and_those_that_stay_keep_their_health() {
    let stage = Stage::new(pool(&["a", "b", "c"]), ScriptedProvider::new().always("a", Reply::limited(60)));
    stage.post().await;
    stage.pool.replace(vec![login("d"), login("c"), login("a"), login("b")]).unwrap();
    assert_eq!(stage.order(), ["d", "c", "b", "a"]);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(60))));
    assert_eq!((stage.of("b").successes, stage.of("b").generation.get()), (1, 1));

    stage.pool.replace(vec![login("b")]).unwrap();
    assert_eq!(stage.order(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_with_a_mistake_changes_nothing() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new());
    let broken = key("k").base_url("http://example.com");
    for set in [vec![login("c"), broken], vec![login("c"), login("c")]] {
        assert_eq!(stage.pool.replace(set).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(stage.order(), ["a", "b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_token_is_refreshed_before_its_next_use_and_only_the_one_that_was_seen() {
    let tokens = ScriptedTokens::new();
    let stage = Stage::new(pool(&["a"]).credential(key("k")).token_source(tokens.clone()), ScriptedProvider::new());
    let first = stage.of("a").generation;
    assert!(stage.pool.invalidate("a", first));
    stage.post().await;
    assert_eq!(stage.tokens(), ["a+"]);
    assert!(!stage.pool.invalidate("a", first), "it has moved on");
    assert!(!stage.pool.invalidate("a", stage.of("a").generation), "less than a minute ago");
    assert!(!stage.pool.invalidate("k", stage.of("k").generation), "a key cannot be refreshed");
    pass(60).await;
    assert!(stage.pool.invalidate("a", stage.of("a").generation));
    assert_eq!(tokens.asked(), ["a"], "not before it is used");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_refresh_that_is_under_way_and_refuses_new_requests() {
    let tokens = ScriptedTokens::new().always("a", Grant::fresh().after(seconds(5)));
    let stage =
        Stage::new(pool(&["a"]).token_source(tokens.clone()), ScriptedProvider::new().always("a", Reply::status(401)));
    let waiting = stage.spawn();
    pass(1).await;
    let start = tokio::time::Instant::now();
    stage.pool.shutdown().await;
    assert_eq!((start.elapsed().as_secs(), tokens.granted()), (4, 1));
    assert_eq!(waiting.await.unwrap().status, 401, "the answer that it had");
    assert_eq!(stage.refused(post()).await.kind(), ErrorKind::Closed);
    stage.pool.shutdown().await;
}
