//! `maxAttempts` holds even if the credential that a request was to stay on is gone or of no more use.

use std::num::NonZeroU32;

use oauth_marathon::{BoxError, Error, ErrorKind, RequestContext};
use oauth_marathon_test::invariants::check_attempts;
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tokio::time::Instant;

use crate::support::stage::{Answer, Stage, key, pass, pool, post, seconds, settings, under};

/// A request that account `a` fails, which is `gone` after half a second, while the request means to go on with it.
async fn over(most: u32, reply: Reply, tokens: &ScriptedTokens, gone: fn(&Stage)) -> (Stage, Result<Answer, BoxError>) {
    let settings = settings(|it| (it.max_attempts, it.network_retry_attempts) = (NonZeroU32::new(most), 1));
    let accounts = pool(&["a"]).credential(key("b")).token_source(tokens.clone()).settings(settings);
    let stage = Stage::new(accounts, ScriptedProvider::new().on("a", [reply]));
    let context = RequestContext::new();
    let (client, request) = (stage.clone(), under(&context, post()));
    let answer = tokio::spawn(async move { client.try_send(request).await });
    tokio::time::sleep(seconds(1) / 2).await;
    gone(&stage);
    tokens.release();
    pass(60).await;
    let answer = answer.await.expect("no panic");
    check_attempts(&context.attempts(), stage.pool.settings()).unwrap();
    (stage, answer)
}

fn removed(stage: &Stage) {
    assert!(stage.pool.remove("a"));
}

fn held() -> ScriptedTokens {
    let tokens = ScriptedTokens::new();
    tokens.hold();
    tokens
}

/// Before its second try.
fn failing() -> Reply {
    Reply::status(503).header("retry-after", "2")
}

#[tokio::test(start_paused = true)]
async fn no_other_account_takes_the_place_of_one_that_was_removed_before_its_second_try() {
    for (reply, status) in [(Reply::status(401), 401), (failing(), 503)] {
        let (stage, answer) = over(1, reply.clone(), &held(), removed).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, stage.tokens()), (status, vec!["a".to_owned()]));
        assert_eq!(answer.retry_after(), Some("1"), "another one is ready");

        // Where it may, one does.
        let (stage, answer) = over(2, reply, &held(), removed).await;
        assert_eq!((answer.unwrap().status, stage.tokens()), (200, vec!["a".to_owned(), "b".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_account_takes_the_place_of_one_whose_token_cannot_be_replaced() {
    for grant in [Grant::refused(), Grant::busy()] {
        let tokens = ScriptedTokens::new().always("a", grant.clone());
        let (stage, answer) = over(1, Reply::status(401), &tokens, |_| {}).await;
        assert_eq!((answer.unwrap().status, stage.tokens()), (401, vec!["a".to_owned()]));

        let tokens = ScriptedTokens::new().always("a", grant);
        let (stage, answer) = over(2, Reply::status(401), &tokens, |_| {}).await;
        assert_eq!((answer.unwrap().status, stage.tokens()), (200, vec!["a".to_owned(), "b".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_removed_with_a_broken_connection_is_named() {
    for most in [1, 2] {
        let settings = settings(|it| (it.max_attempts, it.network_retry_attempts) = (NonZeroU32::new(most), 1));
        let accounts = pool(&["a", "b"]).settings(settings).build().unwrap();
        let own = accounts.clone();
        let provider = ScriptedProvider::new().on("a", [Reply::connection_error()]).answering(move |_| {
            own.remove("a");
            None
        });
        let client = tower::Layer::layer(&oauth_marathon::MarathonLayer::new(accounts), provider.clone());
        let begun = Instant::now();
        let answer = tower::ServiceExt::oneshot(client, post()).await;
        assert_eq!(begun.elapsed(), seconds(0));
        match most {
            1 => assert_eq!(Error::find(&*answer.unwrap_err()).unwrap().kind(), ErrorKind::NoCredential),
            _ => assert_eq!(answer.unwrap().status(), 200),
        }
        assert_eq!(provider.tokens().len(), most as usize);
    }
}
