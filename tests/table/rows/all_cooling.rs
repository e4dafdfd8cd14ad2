//! Every account is cooling: `whenAllCooling`.

use oauth_marathon::RequestContext;
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{Reply, ScriptedProvider};
use tokio::time::Instant;

use crate::support::stage::{Stage, pass, pool, post, seconds, settings, under};

fn mode(mode: WhenAllCooling) -> Settings {
    settings(|it| it.when_all_cooling = mode)
}

#[tokio::test(start_paused = true)]
async fn answer_gives_the_last_failure_again_with_the_time_of_the_first_recovery() {
    let provider =
        ScriptedProvider::new().always("a", Reply::limited(60)).always("b", Reply::limited(90).body("the last"));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    stage.post().await;
    pass(10).await;
    let context = RequestContext::new();
    let answer = stage.send(under(&context, post())).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.retry_after()), (429, "the last", Some("50")));
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(context.recovery(), Some(seconds(50)));
}

#[tokio::test(start_paused = true)]
async fn answer_lets_one_request_probe_after_half_of_a_cooldown_that_was_guessed() {
    let provider = ScriptedProvider::new().on("a", [Reply::status(429)]).always("a", Reply::ok().after(seconds(5)));
    let stage = Stage::new(pool(&["a"]), provider);
    stage.post().await;
    pass(14).await;
    assert_eq!(stage.post().await.status, 429);
    assert_eq!(stage.tokens().len(), 1);

    pass(1).await;
    let probe = stage.spawn();
    pass(1).await;
    assert_eq!(stage.post().await.status, 429, "one at a time");
    assert_eq!(stage.tokens().len(), 2);
    assert_eq!(probe.await.unwrap().status, 200);
    assert!(stage.all_ready());
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_begins_the_cooldown_anew() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().on("a", [Reply::status(429), Reply::status(429)]));
    stage.post().await;
    pass(15).await;
    assert_eq!(stage.post().await.status, 429);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(30))));
    pass(14).await;
    stage.post().await;
    assert_eq!(stage.tokens().len(), 2);
    pass(1).await;
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_goes_away_leaves_the_next_one_free() {
    let stage =
        Stage::new(pool(&["a"]), ScriptedProvider::new().on("a", [Reply::status(429), Reply::ok().after(seconds(9))]));
    stage.post().await;
    pass(15).await;
    let probe = stage.spawn();
    pass(1).await;
    probe.abort();
    assert!(probe.await.is_err());
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn probe_sends_one_request_at_a_time_although_all_are_cooling() {
    let provider = ScriptedProvider::new()
        .on("a", [Reply::limited(600)])
        .always("a", Reply::ok().after(seconds(5)))
        .always("b", Reply::limited(900));
    let stage = Stage::new(pool(&["a", "b"]).settings(mode(WhenAllCooling::Probe)), provider);
    stage.post().await;
    let probe = stage.spawn();
    pass(1).await;
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("599")));
    assert_eq!(probe.await.unwrap().status, 200);
    assert_eq!(stage.tokens(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn wait_goes_on_when_the_first_account_recovers() {
    let provider = ScriptedProvider::new().on("a", [Reply::limited(5)]).always("b", Reply::limited(90));
    let stage = Stage::new(pool(&["a", "b"]).settings(mode(WhenAllCooling::Wait)), provider);
    let start = Instant::now();
    let answer = stage.post().await;
    assert_eq!((answer.status, start.elapsed().as_secs()), (200, 5));
    assert_eq!(stage.tokens(), ["a", "b", "a"], "a finished wait opens a new round");
    assert_eq!(answer.attempts.iter().map(|attempt| attempt.round).collect::<Vec<_>>(), [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn wait_holds_for_a_request_that_finds_all_cooling() {
    let provider = ScriptedProvider::new().on("a", [Reply::limited(5)]);
    let stage = Stage::new(pool(&["a"]).settings(mode(WhenAllCooling::Wait)), provider);
    let requests = [stage.spawn(), stage.spawn(), stage.spawn()];
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200);
    }
    pass(1).await;
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn wait_never_lasts_past_the_deadline() {
    let stage = Stage::new(
        pool(&["a"]).settings(mode(WhenAllCooling::Wait)),
        ScriptedProvider::new().always("a", Reply::limited(5)),
    );
    let start = Instant::now();
    let answer = stage.send(under(&RequestContext::new().with_timeout(seconds(4)), post())).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("5")));
    assert_eq!(start.elapsed(), seconds(0), "there is nothing to wait for");
}

#[tokio::test(start_paused = true)]
async fn wait_lasts_no_longer_in_all_than_the_setting_says() {
    let waits = settings(|it| (it.when_all_cooling, it.max_wait) = (WhenAllCooling::Wait, seconds(12)));
    let stage = Stage::new(pool(&["a"]).settings(waits), ScriptedProvider::new().always("a", Reply::limited(5)));
    let start = Instant::now();
    assert_eq!(stage.post().await.status, 429);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(stage.tokens(), ["a", "a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn error_comes_with_the_time_of_the_first_recovery() {
    let stage = Stage::new(
        pool(&["a"]).settings(mode(WhenAllCooling::Error)),
        ScriptedProvider::new().always("a", Reply::limited(8)),
    );
    assert_eq!(stage.post().await.status, 429, "the request that ran into it has its answer");
    pass(3).await;
    assert_eq!(stage.refused(post()).await.retry_after(), Some(seconds(5)));
    pass(5).await;
    stage.provider.set("a", Reply::ok());
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_recovers_while_another_is_tried_is_not_waited_for_in_vain() {
    let provider =
        ScriptedProvider::new().on("a", [Reply::limited(1)]).always("b", Reply::limited(600).after(seconds(2)));
    let stage = Stage::new(pool(&["a", "b"]).settings(mode(WhenAllCooling::Wait)), provider);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn rounds_without_a_wait_end_with_the_time_that_a_request_may_wait() {
    let slow = || Reply::limited(1).after(seconds(2));
    let provider = ScriptedProvider::new().always("a", slow()).always("b", slow());
    let stage = Stage::new(pool(&["a", "b"]).settings(mode(WhenAllCooling::Wait)), provider);
    assert_eq!(stage.post().await.status, 429);
    assert!(
        (25..=35).contains(&stage.tokens().len()),
        "one send in two seconds, for a minute: {:?}",
        stage.tokens().len()
    );
}
