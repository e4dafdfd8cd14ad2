//! Which streams are held back, and for how long.

use std::time::Duration;

use http::Method;
use http_body::Body;
use oauth_marathon::RequestContext;
use oauth_marathon::config::Settings;
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{BodyStep, Reply, ScriptedBody};
use tokio::time::Instant;
use tokio_test::task;
use tower::ServiceExt;

use crate::scripted::{LIMITED, PING, START, STOP, Stage, TEXT, data, read, stream, streamed, typed};
use crate::support::accounts::{keys, post, seconds};

#[tokio::test(start_paused = true)]
async fn silence_is_held_until_its_time_is_up_and_content_not_at_all() {
    let late = BodyStep::Pause(seconds(12));
    let stage = Stage::of(&["a"]).on("a", [stream([data(START), late.clone(), data(TEXT), data(STOP)])]);
    let start = Instant::now();
    let answer = stage.send().await;
    assert_eq!((start.elapsed(), stage.counts("a")), (seconds(12), (1, 0, 1)));
    assert_eq!(read(answer.into_body()).await.0, format!("{START}{TEXT}{STOP}"));

    // After the bound the caller gets what there is, and an error is a late one.
    let steps = [data(PING), BodyStep::Pause(seconds(20)), data(PING), BodyStep::Pause(seconds(20)), data(LIMITED)];
    let stage = Stage::of(&["a", "b"]).on("a", [stream(steps)]);
    let start = Instant::now();
    let answer = stage.send().await;
    assert_eq!((start.elapsed(), stage.counts("a")), (seconds(30), (1, 0, 1)));
    assert_eq!(read(answer.into_body()).await.0, format!("{PING}{PING}{LIMITED}"));
    assert_eq!((start.elapsed(), stage.cooling("a")), (seconds(40), Some(Kind::Throttled)));

    let mut settings = Settings::default();
    settings.stream_hold = Duration::ZERO;
    let stage = Stage::new(keys(&["a"]).settings(settings)).on("a", [stream([BodyStep::Stall])]);
    let start = Instant::now();
    let answer = stage.send().await;
    assert_eq!((start.elapsed(), stage.counts("a")), (seconds(0), (1, 0, 1)));
    drop(answer);
    assert_eq!(stage.counts("a"), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn holding_neither_outlasts_the_deadline_nor_counts_as_a_slow_head() {
    let mut settings = Settings::default();
    settings.attempt_timeout = Some(seconds(5));
    let slow = || stream([data(PING), BodyStep::Pause(seconds(9)), data(TEXT), data(STOP)]);
    let stage = Stage::new(keys(&["a", "b"]).settings(settings)).on("a", [slow(), slow()]);
    let start = Instant::now();
    assert_eq!(stage.send().await.status(), 200);
    assert_eq!((start.elapsed(), stage.tokens()), (seconds(9), vec!["a".to_owned()]));

    let mut request = post();
    request.extensions_mut().insert(RequestContext::new().with_timeout(seconds(3)));
    let start = Instant::now();
    let answer = stage.client(|layer| layer).oneshot(request).await.unwrap();
    assert_eq!((start.elapsed(), stage.tokens().len()), (seconds(3), 2));
    assert_eq!(read(answer.into_body()).await, (format!("{PING}{TEXT}{STOP}"), true));
}

#[tokio::test(start_paused = true)]
async fn pings_alone_are_held_up_to_their_bounds() {
    let stage = Stage::of(&["a"]).on("a", [stream(vec![data(PING); 100])]);
    let answer = stage.send().await;
    assert_eq!(answer.body().size_hint().lower(), 64 * PING.len() as u64);
    assert_eq!(read(answer.into_body()).await.0, PING.repeat(100));
    // Comments are no events; they are held up to 256 KiB.
    let comment: &'static str = format!(":{}\n\n", "x".repeat(16_000)).leak();
    let stage = Stage::of(&["a"]).on("a", [stream(vec![data(comment); 100])]);
    let answer = stage.send().await;
    assert_eq!(answer.body().size_hint().lower(), 17 * comment.len() as u64);
    assert_eq!(read(answer.into_body()).await.0, comment.repeat(100));
    assert_eq!(stage.counts("a"), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_a_stream_is_held_blames_nobody() {
    let silent = ScriptedBody::new([data(START), BodyStep::Stall]);
    let body = silent.watch();
    let stage = Stage::of(&["a", "b"]).on("a", [streamed(silent)]);
    let mut call = task::spawn(stage.client(|layer| layer).oneshot(post()));
    for _ in 0..3 {
        assert!(call.poll().is_pending());
    }
    assert_eq!((stage.counts("a"), body.open()), ((0, 0, 1), 1));
    drop(call);
    assert_eq!((stage.counts("a"), body.open()), ((0, 0, 0), 0));
    assert_eq!(stage.cooling("a"), None);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_stream_is_not_held() {
    let silent = |content_type| typed(content_type, [BodyStep::Stall]);
    let gzip = silent("text/event-stream").header("content-encoding", "gzip");
    let no_content = Reply::status(204).header("content-type", "text/event-stream");
    let no_content = no_content.stream(ScriptedBody::new([BodyStep::Stall]));
    for answer in [silent("text/plain"), silent("application/json"), gzip, no_content] {
        let stage = Stage::of(&["a"]).on("a", [answer]);
        let mut call = task::spawn(stage.client(|layer| layer).oneshot(post()));
        assert!(call.poll().is_ready());
    }
    let empty = streamed(ScriptedBody::new([]).telling_its_end());
    for (method, answer) in [(Method::HEAD, silent("text/event-stream")), (Method::POST, empty)] {
        let stage = Stage::of(&["a"]).on("a", [answer]);
        let mut request = post();
        *request.method_mut() = method;
        let mut call = task::spawn(stage.client(|layer| layer).oneshot(request));
        assert!(call.poll().is_ready());
        assert_eq!(stage.counts("a"), (1, 0, 0));
    }
}
