//! Connections that break, and answers that do not come.

use std::io::{self, ErrorKind};

use oauth_marathon::testing::{Reply, ScriptedProvider};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{Error, ErrorKind as Failure, RequestContext};

use crate::stage::{Stage, login, pool, post, seconds, settings, under};

#[tokio::test(start_paused = true)]
async fn each_broken_connection_counts_and_after_the_retries_the_next_account_serves() {
    let stage =
        Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::error(ErrorKind::ConnectionReset)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!(stage.of("a").failures, 2);
    assert_eq!(stage.order(), ["b", "a"]);
    assert!(stage.all_ready(), "the way to the provider is everybody's");
}

#[tokio::test(start_paused = true)]
async fn without_retries_the_next_account_serves_at_once() {
    let settings = settings(|it| it.network_retry_attempts = 0);
    let provider = ScriptedProvider::new().always("a", Reply::error(ErrorKind::ConnectionReset));
    let stage = Stage::new(pool(&["a", "b"]).settings(settings), provider);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_base_url_of_its_own_rests_when_that_breaks() {
    let own = login("a").base_url("https://proxy.example.com");
    let provider = ScriptedProvider::new().always("a", Reply::error(ErrorKind::ConnectionRefused));
    let stage = Stage::new(pool(&[]).credentials([own, login("b")]), provider);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!(stage.rest("a"), Some((Kind::Network, seconds(30))));
}

#[tokio::test(start_paused = true)]
async fn when_every_connection_breaks_the_callers_own_error_comes_back() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().otherwise(Reply::connection_error()));
    let error = stage.try_send(post()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stage.tokens(), ["a", "a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn any_answer_says_more_than_a_broken_connection() {
    let provider =
        ScriptedProvider::new().always("a", Reply::status(429)).always("b", Reply::error(ErrorKind::ConnectionReset));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    assert_eq!(stage.post().await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_in_time_counts_as_a_broken_connection() {
    let settings = settings(|it| it.attempt_timeout = Some(seconds(5)));
    let stage =
        Stage::new(pool(&["a", "b"]).settings(settings.clone()), ScriptedProvider::new().always("a", Reply::pending()));
    let start = tokio::time::Instant::now();
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!((stage.of("a").failures, stage.of("a").in_flight), (2, 0));

    let stage = Stage::new(pool(&["a"]).settings(settings), ScriptedProvider::new().always("a", Reply::pending()));
    let error = stage.try_send(post()).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), Failure::AttemptTimeout);
    assert!(error.to_string().contains("attemptTimeoutMs (5000 ms)"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn by_default_an_answer_is_waited_for_ten_minutes_and_without_limit_for_ever() {
    let hour = 60 * 60;
    let never = || ScriptedProvider::new().always("a", Reply::pending());
    let stage = Stage::new(pool(&["a"]), never());
    let mut events = stage.pool.notifiers().subscribe();
    let context = RequestContext::new();
    let start = tokio::time::Instant::now();
    let error = stage.try_send(under(&context, post())).await.unwrap_err();
    let tries = stage.tokens().len() as u64;
    assert_eq!(start.elapsed().as_secs(), tries * 600);
    // It is told: by the error, the log, and an event that is traced too.
    let timed_out = Error::find(&*error).unwrap().timed_out().unwrap();
    assert_eq!((timed_out.limit.key(), timed_out.after), ("attemptTimeoutMs", seconds(600)));
    assert!(context.attempts().iter().all(|attempt| attempt.timed_out == Some(timed_out)), "{context:?}");
    let told = std::iter::from_fn(|| events.try_recv()).filter(|event| event.name() == "timed_out");
    let told: Vec<_> = told.map(|event| event.to_string()).collect();
    assert_eq!(told.len() as u64, tries);
    assert!(told[0].contains("attemptTimeoutMs (600000 ms)") && told[0].contains("\"a\""), "{told:?}");

    let stage = Stage::new(pool(&["a"]).settings(settings(|it| it.attempt_timeout = None)), never());
    let waited = tokio::time::timeout(seconds(24 * hour), stage.post()).await;
    assert!(waited.is_err(), "null is no limit");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_within_the_time_is_waited_for() {
    let settings = settings(|it| it.attempt_timeout = Some(seconds(5)));
    let provider = ScriptedProvider::new().always("a", Reply::ok().after(seconds(4)));
    let stage = Stage::new(pool(&["a", "b"]).settings(settings), provider);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a"]);
}
