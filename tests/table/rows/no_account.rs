//! No account to send the request with.

use oauth_marathon::{ErrorKind, RequestContext};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, key, login, pool, post, under};

#[tokio::test(start_paused = true)]
async fn without_any_account_the_error_says_how_to_add_one() {
    let stage = Stage::new(pool(&[]), ScriptedProvider::new());
    let error = stage.refused(post()).await;
    assert_eq!(error.kind(), ErrorKind::NoCredential);
    assert!(error.to_string().contains("PoolBuilder::credential or Pool::add"), "{error}");

    stage.pool.add(login("a")).unwrap();
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_whose_refresh_is_refused_too_leads_to_the_next_account() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let stage =
        Stage::new(pool(&["a", "b"]).token_source(tokens), ScriptedProvider::new().always("a", Reply::status(401)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_the_only_login_is_returned_and_then_the_error_says_what_to_do() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let stage = Stage::new(
        pool(&["a"]).token_source(tokens),
        ScriptedProvider::new().always("a", Reply::status(401).body("expired")),
    );
    assert_eq!(stage.post().await.body, "expired");
    let error = stage.refused(post()).await;
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert!(error.to_string().contains("Pool::update"), "{error}");
    assert_eq!(stage.tokens(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_pinned_to_a_login_that_is_over_says_so() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let stage = Stage::new(
        pool(&["a"]).credential(key("k")).token_source(tokens),
        ScriptedProvider::new().always("a", Reply::status(401)),
    );
    stage.post().await;
    let error = stage.refused(under(&RequestContext::new().with_pin("a"), post())).await;
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert!(error.to_string().contains("\"a\""), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_has_no_attempts() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new());
    let context = RequestContext::new().with_pin("nobody");
    stage.refused(under(&context, post())).await;
    assert!(context.attempts().is_empty());
}
