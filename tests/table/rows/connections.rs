//! Connections that break, and answers that do not come.

use std::io::{self, ErrorKind};
use std::time::Duration;

use oauth_marathon::verdict::Kind;
use oauth_marathon::{Error, ErrorKind as Failure, RequestContext};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, login, pool, post, seconds, settings, under};

#[tokio::test(start_paused = true)]
async fn each_broken_connection_counts_and_after_the_retries_the_next_account_serves() {
    let stage =
        Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::error(ErrorKind::ConnectionReset)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "a", "b"], "the first may have been an old connection");
    assert_eq!(stage.of("a").failures, 3);
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

/// The times between the sends of one request to accounts whose connections all break like this.
async fn pauses(kind: ErrorKind, retries: u32) -> Vec<Duration> {
    let settings = settings(|it| it.network_retry_attempts = retries);
    let stage = Stage::new(pool(&["a", "b"]).settings(settings), ScriptedProvider::new().otherwise(Reply::error(kind)));
    assert!(stage.try_send(post()).await.is_err());
    stage.provider.requests().windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_restarts_is_no_outage() {
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset] {
        for down in [100, 300] {
            let back = tokio::time::Instant::now() + Duration::from_millis(down);
            let is_down = move || tokio::time::Instant::now() < back;
            let provider = ScriptedProvider::new().answering(move |_| is_down().then(|| Reply::error(kind)));
            let stage = Stage::new(pool(&["a", "b"]), provider);
            assert_eq!(stage.post().await.status, 200, "{kind:?}, {down} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_could_not_be_made_is_never_tried_again_without_a_growing_pause() {
    for retries in [0, 1, 3] {
        let pauses = pauses(ErrorKind::ConnectionRefused, retries).await;
        assert_eq!(pauses.len(), 2 * (retries as usize + 1) - 1);
        assert!(pauses.iter().all(|pause| (100..=1_001).contains(&pause.as_millis())), "{pauses:?}");
        assert!(pauses.windows(3).all(|three| three[2] >= three[0] || three[2].as_millis() >= 500), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_broke_before_an_answer_is_tried_again_at_once_but_only_once() {
    for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof] {
        for retries in [0, 1, 3] {
            let pauses = pauses(kind, retries).await;
            assert_eq!(pauses[..1], [Duration::ZERO]);
            assert!(pauses[1..].iter().all(|pause| (100..=1_001).contains(&pause.as_millis())), "{pauses:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_the_next_account_serves_at_once_and_where_none_is_left_the_request_ends() {
    for retries in [0, 1, 10] {
        let settings = settings(|it| (it.attempt_timeout, it.network_retry_attempts) = (Some(seconds(5)), retries));
        let provider = ScriptedProvider::new().always("a", Reply::pending());
        let stage = Stage::new(pool(&["a", "b"]).settings(settings), provider);
        let start = tokio::time::Instant::now();
        assert_eq!(stage.post().await.status, 200);
        assert_eq!((stage.tokens(), start.elapsed().as_secs()), (vec!["a".to_owned(), "b".to_owned()], 5));
        assert_eq!((stage.order(), stage.of("a").failures), (vec!["b".to_owned(), "a".to_owned()], 1));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_budget_is_used_up_a_broken_connection_goes_on_only_to_one_that_serves() {
    let refused = Reply::error(ErrorKind::ConnectionRefused);
    let provider = ScriptedProvider::new().always("a", refused.clone()).always("b", refused);
    let stage = Stage::new(pool(&["a", "b"]), provider.clone());
    let sends = async || {
        let before = stage.tokens().len();
        let _ = stage.try_send(post()).await;
        stage.tokens().len() - before
    };
    for _ in 0..30 {
        sends().await;
    }
    assert_eq!(sends().await, 1);
    provider.set("b", Reply::ok());
    while stage.order()[0] != "b" {
        sends().await;
    }
    assert_eq!(sends().await, 1);
}

#[test]
fn without_a_runtime_nobody_waits_for_a_pause() {
    let refused = Reply::error(ErrorKind::ConnectionRefused);
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().otherwise(refused));
    let mut request = tokio_test::task::spawn(stage.try_send(post()));
    let std::task::Poll::Ready(Err(error)) = request.poll() else { panic!("it waits, or was answered") };
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(stage.tokens(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_base_url_of_its_own_cools_when_that_breaks() {
    let own = login("a").base_url("https://proxy.example.com");
    let provider = ScriptedProvider::new().always("a", Reply::error(ErrorKind::ConnectionRefused));
    let stage = Stage::new(pool(&[]).credentials([own, login("b")]), provider);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    let (cause, left) = stage.cooldown("a").expect("it is cooling");
    assert_eq!(cause, Kind::Network);
    assert!((seconds(29)..=seconds(30)).contains(&left), "a pause has passed: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn when_every_connection_breaks_the_callers_own_error_comes_back() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().otherwise(Reply::connection_error()));
    let error = stage.try_send(post()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stage.tokens(), ["a", "a", "a", "b", "b"]);
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
    assert_eq!(start.elapsed(), seconds(5));
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!((stage.of("a").failures, stage.of("a").in_flight), (1, 0));

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
    // It is reported: by the error, the log, and an event that is traced too.
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
