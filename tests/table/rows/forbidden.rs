//! 403 says neither that the account is at fault nor that the request is: the answer of another account shows it.

use oauth_marathon::RequestContext;
use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, key, pool, post, seconds, settings, under};

fn keys(provider: ScriptedProvider) -> Stage {
    Stage::new(pool(&[]).credentials([key("k"), key("l"), key("m")]), provider)
}

fn untouched(stage: &Stage) -> bool {
    stage.all_ready() && stage.order() == ["k", "l", "m"] && stage.of("k").failures == 0
}

#[tokio::test(start_paused = true)]
async fn an_account_is_convicted_by_another_that_serves_the_same_request() {
    for code in [200, 400] {
        let stage = keys(ScriptedProvider::new().always("k", Reply::status(403)).always("l", Reply::status(code)));
        assert_eq!(stage.post().await.status, code);
        assert_eq!(stage.tokens(), ["k", "l"]);
        assert_eq!(stage.cooldown("k"), Some((Kind::Forbidden, seconds(300))));
        assert_eq!(stage.order(), ["l", "m", "k"]);
        assert_eq!(stage.of("k").failures, 1, "then it has failed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_itself_limited_convicts_nobody_but_the_next_may() {
    let stage = keys(ScriptedProvider::new().always("k", Reply::status(403)).always("l", Reply::status(429)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["k", "l", "m"]);
    assert_eq!(stage.cooldown("k").map(|(cause, _)| cause), Some(Kind::Forbidden));

    let stage = keys(
        ScriptedProvider::new()
            .always("k", Reply::status(403))
            .always("l", Reply::status(429))
            .always("m", Reply::status(429)),
    );
    assert_eq!(stage.post().await.status, 429, "an answer about the load says more than one about an account");
    assert_eq!(stage.cooldown("k"), None);
}

#[tokio::test(start_paused = true)]
async fn two_accounts_refused_alike_show_that_the_request_is_at_fault() {
    let provider =
        ScriptedProvider::new().always("k", Reply::status(403).body("one")).always("l", Reply::status(403).body("two"));
    let stage = keys(provider);
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "two"));
    assert_eq!(stage.tokens(), ["k", "l"], "the third is not asked");
    assert!(untouched(&stage));
}

#[tokio::test(start_paused = true)]
async fn with_a_single_account_there_is_nobody_to_compare_with() {
    let stage = Stage::new(pool(&[]).credential(key("k")), ScriptedProvider::new().always("k", Reply::status(403)));
    for _ in 0..3 {
        assert_eq!(stage.post().await.status, 403);
    }
    assert_eq!(stage.tokens(), ["k", "k", "k"]);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_pinned_request_is_compared_with_nobody() {
    let stage = keys(ScriptedProvider::new().always("k", Reply::status(403)));
    let answer = stage.send(under(&RequestContext::new().with_pin("k"), post())).await;
    assert_eq!(answer.status, 403);
    assert_eq!(stage.tokens(), ["k"]);
    assert!(untouched(&stage));
}

#[tokio::test(start_paused = true)]
async fn accounts_that_are_cooling_are_not_there_to_compare_with() {
    let waits = settings(|it| it.when_all_cooling = WhenAllCooling::Wait);
    let provider = ScriptedProvider::new().always("k", Reply::status(403)).always("l", Reply::limited(5));
    let stage = Stage::new(pool(&[]).credentials([key("k"), key("l")]).settings(waits), provider);
    let no_time = RequestContext::new().with_pin("l").with_timeout(seconds(1));
    assert_eq!(stage.send(under(&no_time, post())).await.status, 429);
    let start = tokio::time::Instant::now();
    assert_eq!(stage.post().await.status, 403);
    assert_eq!(start.elapsed(), seconds(0), "nor to be waited for");
    assert_eq!(stage.cooldown("k"), None);
    assert_eq!(stage.of("k").failures, 0);
}

#[tokio::test(start_paused = true)]
async fn only_the_first_of_two_refused_logins_is_refreshed() {
    let tokens = ScriptedTokens::new();
    let provider =
        ["a", "a+", "b"].iter().fold(ScriptedProvider::new(), |it, token| it.always(token, Reply::status(403)));
    let stage = Stage::new(pool(&["a", "b", "c"]).token_source(tokens.clone()), provider);
    assert_eq!(stage.post().await.status, 403);
    assert_eq!(stage.tokens(), ["a", "a+", "b"]);
    assert_eq!(tokens.asked(), ["a"]);
    assert!(stage.all_ready());
}
