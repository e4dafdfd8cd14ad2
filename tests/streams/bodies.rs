//! Response bodies: nothing is added, lost or read ahead, and the credential is in use exactly as long as they stream.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::{BoxError, MarathonBody, MarathonLayer, Pool};
use oauth_marathon_test::{BodyStep, Reply, ScriptedBody, ScriptedProvider};
use tokio::time::Instant;
use tokio_test::task;
use tower::{Layer, ServiceExt};

use crate::support::accounts::{in_flight, keys, look, post, seconds, settle};

/// A frame of text.
fn data(text: &'static str) -> BodyStep {
    BodyStep::data(text)
}

/// The trailer `x-sum` of this value.
fn trailers(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static(value))])
}

/// Sends one request whose answer has this body.
async fn answered(status: u16, body: ScriptedBody) -> (Pool, Response<MarathonBody<ScriptedBody>>) {
    sent(post(), Reply::status(status).stream(body)).await
}

async fn sent(request: Request<Full<Bytes>>, reply: Reply) -> (Pool, Response<MarathonBody<ScriptedBody>>) {
    let pool = keys(&["a"]).build().unwrap();
    // One request: another one would see a panic.
    let provider = ScriptedProvider::new().then(reply).otherwise(Reply::panic());
    let response = MarathonLayer::new(pool.clone()).layer(provider).oneshot(request).await.unwrap();
    (pool, response)
}

/// Reads a body: its data, its trailers, and its error, if any.
async fn read<B: Body<Data = Bytes, Error = BoxError> + Unpin>(mut body: B) -> (String, Option<String>, &'static str) {
    let (mut text, mut sum) = (String::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => text.push_str(std::str::from_utf8(&data).unwrap()),
            Ok(Err(frame)) => sum = Some(frame.into_trailers().unwrap()["x-sum"].to_str().unwrap().to_owned()),
            Err(error) => {
                assert_eq!(error.to_string(), "scripted: the body broke off");
                return (text, sum, "error");
            }
        }
    }
    assert!(body.frame().await.is_none(), "an end stays an end");
    (text, sum, "end")
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_passes_through_frame_by_frame() {
    let frames =
        ScriptedBody::new([data("one"), BodyStep::Pause(seconds(9)), data("two"), BodyStep::Trailers(trailers("42"))]);
    let watch = frames.watch();
    let (pool, answer) = answered(200, frames).await;
    let mut body = answer.into_body();
    settle().await;
    assert_eq!(watch.frames_taken(), 0, "nothing is read ahead");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    settle().await;
    assert_eq!((watch.frames_taken(), in_flight(&pool)), (1, 1));
    assert!(task::spawn(body.frame()).poll().is_pending());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers("42"));
    assert_eq!(in_flight(&pool), 1, "the end has not come yet");
    assert!(body.frame().await.is_none());
    assert_eq!((in_flight(&pool), look(&pool, "a").successes), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_length_is_as_exact_as_the_clients() {
    let (_, answer) =
        answered(200, ScriptedBody::new([data("12345"), data("67")]).stating_its_length().telling_its_end()).await;
    assert_eq!((answer.body().size_hint().exact(), answer.body().is_end_stream()), (Some(7), false));
    let (_, answer) = answered(200, ScriptedBody::new([data("12345")])).await;
    assert_eq!((answer.body().size_hint().lower(), answer.body().size_hint().upper()), (0, None));
    let (_, answer) = answered(429, ScriptedBody::new([data("12345"), data("67")])).await;
    let mut body = answer.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(7), false), "it was read to its end");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "1234567");
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
}

#[tokio::test(start_paused = true)]
async fn the_place_is_given_back_at_the_end_at_an_error_and_when_the_body_is_dropped() {
    let endings: [(&str, Vec<BodyStep>, u64); 3] = [
        ("an end that is asked for", vec![data("x")], 0),
        ("trailers", vec![data("x"), BodyStep::Trailers(trailers("1"))], 0),
        ("an error", vec![data("x"), BodyStep::Error], 1),
    ];
    for (name, steps, failures) in endings {
        let (pool, answer) = answered(200, ScriptedBody::new(steps)).await;
        let mut body = answer.into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(in_flight(&pool), 1, "{name}");
        while let Some(Ok(_)) = body.frame().await {}
        let a = look(&pool, "a");
        assert_eq!((a.in_flight, a.successes, a.failures), (0, 1, failures), "{name}");
        drop(body);
        assert_eq!(in_flight(&pool), 0, "{name}");
    }
    let (pool, answer) = answered(200, ScriptedBody::new([data("x")])).await;
    drop(answer);
    assert_eq!((in_flight(&pool), look(&pool, "a").failures), (0, 0));
    // A server drops a body of known length after its last frame, without asking for the end.
    let (pool, answer) = answered(200, ScriptedBody::new([data("x"), data("y")]).telling_its_end()).await;
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(in_flight(&pool), 1);
    body.frame().await.unwrap().unwrap();
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn answers_without_a_body_give_the_place_back_at_once() {
    for status in [101, 204, 304] {
        let (pool, answer) = answered(status, ScriptedBody::new([BodyStep::Stall])).await;
        assert_eq!((answer.status().as_u16(), in_flight(&pool)), (status, 0));
    }
    let (pool, empty) = answered(200, ScriptedBody::new([]).telling_its_end()).await;
    assert_eq!((empty.status().as_u16(), in_flight(&pool)), (200, 0));
    let mut head = post();
    *head.method_mut() = Method::HEAD;
    let (pool, answer) = sent(head, Reply::ok().stream(ScriptedBody::new([BodyStep::Stall]))).await;
    assert_eq!((answer.status().as_u16(), in_flight(&pool), look(&pool, "a").successes), (200, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_reaches_the_caller_byte_for_byte() {
    let big: &'static str = "0123456789abcdef".repeat(5000).leak();
    let late = BodyStep::Pause(seconds(2));
    type Read = (String, Option<&'static str>, &'static str);
    let cases: [(&str, Vec<BodyStep>, Read); 8] = [
        ("empty", vec![], (String::new(), None, "end")),
        ("in pieces", vec![data("a"), BodyStep::Yield, data("b")], ("ab".into(), None, "end")),
        ("with trailers", vec![data("a"), BodyStep::Trailers(trailers("7"))], ("a".into(), Some("7"), "end")),
        (
            "over the cap",
            vec![data(big), data(big), data(big), BodyStep::Trailers(trailers("7"))],
            (big.repeat(3), Some("7"), "end"),
        ),
        (
            "too slow",
            vec![data("a"), late.clone(), data("b"), BodyStep::Trailers(trailers("7"))],
            ("ab".into(), Some("7"), "end"),
        ),
        ("erroring midway", vec![data("a"), BodyStep::Error], ("a".into(), None, "error")),
        (
            "slow to end",
            vec![data("a"), BodyStep::Trailers(trailers("7")), late.clone()],
            ("a".into(), Some("7"), "end"),
        ),
        ("slow, then erroring", vec![data("a"), late, data("b"), BodyStep::Error], ("ab".into(), None, "error")),
    ];
    for (name, steps, (text, sum, end)) in cases {
        let (pool, answer) = answered(429, ScriptedBody::new(steps)).await;
        assert_eq!((answer.status().as_u16(), in_flight(&pool)), (429, 0), "{name}");
        let read = read(answer.into_body()).await;
        assert!(read.0 == text, "{name}: {} bytes instead of {}", read.0.len(), text.len());
        assert_eq!((read.1.as_deref(), read.2), (sum, end), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_failure_is_waited_for_a_quarter_of_a_second_and_no_longer() {
    let start = Instant::now();
    let frames = ScriptedBody::new([data("a"), BodyStep::Stall]);
    let watch = frames.watch();
    let (_, answer) = answered(429, frames).await;
    assert_eq!((start.elapsed(), watch.frames_taken()), (Duration::from_millis(250), 1));
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
    assert!(task::spawn(body.frame()).poll().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_cap_is_left_where_it_is() {
    let chunk: &'static str = "x".repeat(50_000).leak();
    let frames = ScriptedBody::new(vec![data(chunk); 10]).stating_its_length();
    let watch = frames.watch();
    let (_, answer) = answered(429, frames).await;
    assert_eq!(watch.frames_taken(), 3, "128 KiB and what was under way");
    assert_eq!(answer.body().size_hint().exact(), Some(500_000), "what was read and what is left");
    let length = answer.into_body().collect().await.unwrap().to_bytes().len();
    assert_eq!(length, 500_000);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_broke_off_does_not_claim_to_be_whole() {
    let (_, answer) = answered(429, ScriptedBody::new([data("12345"), BodyStep::Error])).await;
    let hint = answer.body().size_hint();
    assert_eq!((hint.lower(), hint.upper(), answer.body().is_end_stream()), (5, None, false));
}
