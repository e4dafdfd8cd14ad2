//! Tokens that expire, and refreshes that fail.

use std::time::{Duration, UNIX_EPOCH};

use oauth_marathon::pool::PoolBuilder;
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, ErrorKind, TokenSet};
use oauth_marathon_test::{Grant, ManualClock, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, names, pass, pool, post, seconds};

/// An account whose token expires that many seconds from the start.
fn expires(id: &str, after: u64) -> Credential {
    let tokens = TokenSet::new(id).with_refresh(format!("refresh-{id}"));
    Credential::new(id, tokens.expires_at(UNIX_EPOCH + seconds(after)))
}

fn pool_of(credentials: impl IntoIterator<Item = Credential>, tokens: &ScriptedTokens) -> PoolBuilder {
    pool(&[]).credentials(credentials).token_source(tokens.clone()).clock(ManualClock::new(UNIX_EPOCH))
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_refreshed_before_anything_is_sent() {
    let tokens = ScriptedTokens::new();
    let stage = Stage::new(pool_of([expires("a", 0), expires("b", 0)], &tokens), ScriptedProvider::new());
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a+"]);
    assert_eq!(tokens.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_in_the_last_tenth_of_its_life() {
    let tokens = ScriptedTokens::new();
    let stage = Stage::new(pool_of([expires("a", 1_000)], &tokens), ScriptedProvider::new());
    pass(899).await;
    stage.post().await;
    pass(22).await;
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "a"], "nobody waits for it");
    pass(1).await;
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "a", "a+"]);
}

#[tokio::test(start_paused = true)]
async fn an_early_refresh_that_fails_leaves_the_valid_token_in_use_and_is_tried_again_later() {
    let tokens = ScriptedTokens::new().on("a", [Grant::busy()]);
    let stage = Stage::new(pool_of([expires("a", 1_000), expires("b", 9_000)], &tokens), ScriptedProvider::new());
    pass(921).await;
    for _ in 0..2 {
        stage.post().await;
        pass(1).await;
    }
    assert_eq!((stage.tokens(), tokens.asked().len()), (vec!["a".into(), "a".into()], 1));
    assert!(stage.all_ready());
    pass(30).await;
    stage.post().await;
    pass(1).await;
    stage.post().await;
    assert_eq!(stage.tokens().last().unwrap(), "a+");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_refused_for_good_takes_the_account_out_and_the_next_one_serves() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let stage = Stage::new(pool_of([expires("a", 0), expires("b", 9_000)], &tokens), ScriptedProvider::new());
    let mut events = stage.pool.events();
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["b"]);
    assert_eq!(stage.out("a"), Some(OutReason::RefreshRefused));
    assert_eq!(names(&mut events), ["out"]);
    pass(100_000).await;
    stage.post().await;
    assert_eq!(tokens.asked(), ["a", "b"], "time alone does not bring it back");

    stage.pool.update("a", TokenSet::new("a-new")).unwrap();
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_used_to_its_end_although_its_refresh_was_refused_for_good() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let provider = ScriptedProvider::new();
    let stage = Stage::new(pool_of([expires("a", 1_000), expires("b", 9_000)], &tokens), provider);
    let mut events = stage.pool.events();
    pass(921).await;
    stage.post().await;
    pass(1).await;
    assert_eq!(stage.tokens(), ["a"]);
    assert_eq!(names(&mut events), ["out"]);

    stage.provider.set("a", Reply::status(401));
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!(stage.out("a"), Some(OutReason::RefreshRefused));
    assert_eq!(tokens.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_for_now_is_a_short_cooldown_and_the_refresh_token_is_kept() {
    let tokens = ScriptedTokens::new().on("a", [Grant::busy()]);
    let stage = Stage::new(pool_of([expires("a", 0), expires("b", 9_000)], &tokens), ScriptedProvider::new());
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["b"]);
    assert_eq!(stage.cooldown("a"), Some((Kind::Unauthorized, seconds(30))));

    pass(30).await;
    stage.provider.set("b", Reply::status(429));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["b", "b", "a+"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_only_refresh_fails_the_error_says_why_and_when_to_come_back() {
    let tokens = ScriptedTokens::new().always("a", Grant::busy());
    let stage = Stage::new(pool_of([expires("a", 0)], &tokens), ScriptedProvider::new());
    let error = stage.refused(post()).await;
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Refresh, Some(seconds(30))));
    assert!(error.to_string().contains("the server is busy"), "{error}");

    pass(10).await;
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("20")));
    assert!(answer.body.contains("all_credentials_cooling"), "{}", answer.body);
    assert!(stage.tokens().is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_only_login_is_over_the_error_says_so() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let stage = Stage::new(pool_of([expires("a", 0)], &tokens), ScriptedProvider::new());
    for _ in 0..2 {
        let error = stage.refused(post()).await;
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::LoginNeeded, None));
        assert!(error.to_string().contains("log in again"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_that_meet_an_expired_token_make_one_token_request() {
    for grant in [Grant::fresh().after(seconds(2)), Grant::busy(), Grant::refused()] {
        let tokens = ScriptedTokens::new().always("a", grant);
        let stage = Stage::new(pool_of([expires("a", 0), expires("b", 9_000)], &tokens), ScriptedProvider::new());
        let mut requests: Vec<_> = (0..100).map(|_| stage.spawn()).collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        requests.remove(0).abort();
        for request in requests {
            assert_eq!(request.await.unwrap().status, 200);
        }
        assert_eq!(tokens.asked(), ["a"]);
    }
}
