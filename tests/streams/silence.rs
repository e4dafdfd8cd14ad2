//! Bodies that fall silent: `streamIdleTimeoutMs`.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use oauth_marathon::config::{Settings, TimedOut};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, Error, ErrorKind, RequestContext};
use oauth_marathon_test::{BodyStep, Reply, ScriptedBody};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::scripted::{START, STOP, Stage, TEXT, data, read, stream};
use crate::support::accounts::{keys, names, post, seconds};

/// Silence for longer than the limit of [`stage`], after what has come.
fn stalling(steps: &[&'static str]) -> ScriptedBody {
    ScriptedBody::new(steps.iter().map(|text| data(text)).chain([BodyStep::Stall]))
}

fn stage(ids: &[&str], idle: Option<Duration>) -> Stage {
    let mut settings = Settings::default();
    settings.stream_idle_timeout = idle;
    Stage::new(keys(ids).settings(settings))
}

fn time_limit(error: &BoxError) -> TimedOut {
    let error = Error::find(&**error).unwrap();
    assert_eq!(error.kind(), ErrorKind::StreamIdleTimeout);
    error.timed_out().unwrap()
}

/// What comes before the error with which a body ends.
async fn until_error(body: &mut (impl Body<Data = Bytes, Error = BoxError> + Unpin)) -> (String, BoxError) {
    let mut text = String::new();
    loop {
        let frame = tokio::time::timeout(seconds(60 * 60), body.frame()).await.expect("silent for ever");
        match frame.expect("no end before the error") {
            Ok(frame) => text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap()),
            Err(error) => return (text, error),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_ends_with_an_error_and_gives_its_credential_back() {
    let plain = || Reply::ok().stream(stalling(&["ok"]));
    let event_stream = || stream([data(START), data(TEXT), BodyStep::Stall]);
    // By default ten minutes.
    let default = Settings::default().stream_idle_timeout.unwrap();
    let cases = [(plain(), default), (event_stream(), default), (plain(), seconds(5)), (event_stream(), seconds(5))];
    assert_eq!(default, seconds(600));
    for (answer, limit) in cases {
        let stage = stage(&["a"], Some(limit)).on("a", [answer]);
        let mut events = stage.pool.notifiers().subscribe();
        let context = RequestContext::new();
        let mut request = post();
        request.extensions_mut().insert(context.clone());
        let mut body = stage.client(|layer| layer).oneshot(request).await.unwrap().into_body();
        let start = Instant::now();
        let (text, error) = until_error(&mut body).await;
        assert!(!text.is_empty());
        assert_eq!((start.elapsed(), stage.counts("a")), (limit, (1, 1, 0)), "as a body that breaks off");
        let timed_out = time_limit(&error);
        assert_eq!((timed_out.limit.key(), timed_out.after), ("streamIdleTimeoutMs", limit));
        assert!(error.to_string().contains(&format!("streamIdleTimeoutMs ({} ms)", limit.as_millis())), "{error}");
        assert_eq!(context.attempts()[0].timed_out, Some(timed_out));
        assert_eq!(names(&mut events), ["timed_out"]);
        assert!(body.frame().await.is_none(), "it has ended");
    }
}

#[tokio::test(start_paused = true)]
async fn each_chunk_begins_the_time_anew_and_nobody_is_hurried_who_does_not_read() {
    let slow = (0..10).flat_map(|_| [BodyStep::Pause(seconds(4)), data("x")]);
    let stage = stage(&["a"], Some(seconds(5))).on("a", [Reply::ok().stream(ScriptedBody::new(slow))]);
    let start = Instant::now();
    let mut body = stage.send().await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(read(body).await, ("x".repeat(9), true));
    assert_eq!(start.elapsed(), seconds(4 + 60 + 9 * 4));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_body_may_be_silent_for_ever() {
    let stage = stage(&["a"], None).on("a", [Reply::ok().stream(stalling(&["ok"]))]);
    let reading = read(stage.send().await.into_body());
    assert!(tokio::time::timeout(seconds(24 * 60 * 60), reading).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_before_its_content_has_failed_and_the_request_goes_on() {
    let stage = stage(&["a", "b"], Some(seconds(5)));
    let silent = || stream([data(START), BodyStep::Stall]);
    let stage = stage.on("a", [silent(), silent()]).on("b", [stream([data(START), data(TEXT), data(STOP)])]);
    let mut events = stage.pool.notifiers().subscribe();
    let answer = stage.send().await;
    let attempts = RequestContext::of(answer.extensions()).unwrap().attempts();
    assert_eq!(attempts[0].verdict.map(|verdict| verdict.kind()), Some(Kind::Network));
    assert_eq!(attempts[0].timed_out.map(|it| (it.limit.key(), it.after)), Some(("streamIdleTimeoutMs", seconds(5))));
    assert_eq!(read(answer.into_body()).await, (format!("{START}{TEXT}{STOP}"), true));
    assert!(names(&mut events).contains(&"timed_out"));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_failed_body_is_bounded_while_it_is_read() {
    let failed = || Reply::status(400).stream(stalling(&["no"]));
    let stage = stage(&["a"], Some(seconds(5))).on("a", [failed()]);
    let answer = stage.send().await;
    assert_eq!(answer.status(), 400);
    let (text, error) = until_error(&mut answer.into_body()).await;
    assert_eq!((text, time_limit(&error).after), ("no".to_owned(), seconds(5)));
}
