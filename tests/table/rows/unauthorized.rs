//! 401: a token that is not accepted.

use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, key, pass, pool, seconds};

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_accepted_cools_without_a_refresh() {
    let tokens = ScriptedTokens::new();
    let keys = pool(&[]).credentials([key("k"), key("l")]).token_source(tokens.clone());
    let stage = Stage::new(keys, ScriptedProvider::new().always("k", Reply::status(401)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["k", "l"]);
    assert_eq!(stage.cooldown("k"), Some((Kind::Unauthorized, seconds(300))));
    assert!(tokens.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_login_without_a_refresh_token_or_a_token_source_cools_too() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(401)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.cooldown("a"), Some((Kind::Unauthorized, seconds(300))));
}

#[tokio::test(start_paused = true)]
async fn many_refusals_at_once_share_one_refresh() {
    let tokens = ScriptedTokens::new().always("a", Grant::fresh().after(seconds(5)));
    let provider = ScriptedProvider::new().always("a", Reply::status(401));
    let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
    let requests: Vec<_> = (0..20).map(|_| stage.spawn()).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert_eq!(tokens.asked(), ["a"]);
    assert_eq!(stage.tokens().iter().filter(|token| *token == "a+").count(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_after_the_refresh_uses_the_new_token_and_asks_for_no_other() {
    let tokens = ScriptedTokens::new();
    let provider = ScriptedProvider::new()
        .on("a", [Reply::status(401).after(seconds(1))])
        .always("a", Reply::status(401).after(seconds(100)));
    let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
    let (first, second) = (stage.spawn(), stage.spawn());
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "a+", "a+"]);
    assert_eq!(tokens.asked(), ["a"]);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_second_forced_refresh_within_a_minute_is_not_made() {
    let tokens = ScriptedTokens::new();
    let provider = ScriptedProvider::new()
        .always("a", Reply::status(401))
        .on("a+", [Reply::ok()])
        .always("a+", Reply::status(401));
    let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
    stage.post().await;
    pass(59).await;
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a+", "a+", "b"]);
    assert_eq!(stage.cooldown("a"), Some((Kind::Unauthorized, seconds(300))));
    assert_eq!(tokens.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_minute_a_refusal_is_met_with_another_refresh() {
    let tokens = ScriptedTokens::new();
    let provider = ScriptedProvider::new()
        .always("a", Reply::status(401))
        .on("a+", [Reply::ok()])
        .always("a+", Reply::status(401));
    let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
    stage.post().await;
    pass(60).await;
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a+", "a+", "a++"]);
    assert_eq!(tokens.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_for_a_refused_token_ends_with_a_new_one() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(401)));
    stage.post().await;
    stage.pool.update("a", oauth_marathon::TokenSet::new("a2")).unwrap();
    assert!(stage.all_ready());
    assert_eq!(stage.order(), ["b", "a"]);
}
