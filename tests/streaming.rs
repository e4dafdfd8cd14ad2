//! Response bodies: nothing is added, lost or read ahead, and the credential is in use exactly as long as they stream.

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/probe.rs"]
mod probe;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use accounts::{in_flight, keys, look, post, seconds, settle};
use bytes::Bytes;
use frames::{Frames, Step, data, trailers};
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::{BoxError, MarathonBody, MarathonLayer, Pool};
use probe::Probe;
use tokio::time::Instant;
use tokio_test::task;
use tower::{Layer, ServiceExt};

/// Sends one request whose answer has this body.
async fn answered(status: u16, body: Frames) -> (Pool, Response<MarathonBody<Frames>>) {
    sent(post(), body.answer(status)).await
}

async fn sent(request: Request<Full<Bytes>>, answer: Response<Frames>) -> (Pool, Response<MarathonBody<Frames>>) {
    let pool = keys(&["a"]).build().unwrap();
    let answer = Arc::new(Mutex::new(Some(answer)));
    let probe = Probe::new(move |_| {
        let answer = answer.lock().unwrap().take().expect("one request");
        async { Ok(answer) }
    });
    let response = MarathonLayer::new(pool.clone()).layer(probe).oneshot(request).await.unwrap();
    (pool, response)
}

/// The data, the trailers, and how it ended.
async fn read<B: Body<Data = Bytes, Error = BoxError> + Unpin>(mut body: B) -> (String, Option<String>, &'static str) {
    let (mut text, mut sum) = (String::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => text.push_str(std::str::from_utf8(&data).unwrap()),
            Ok(Err(frame)) => sum = Some(frame.into_trailers().unwrap()["x-sum"].to_str().unwrap().to_owned()),
            Err(error) => {
                assert_eq!(error.to_string(), "the stream broke off");
                return (text, sum, "error");
            }
        }
    }
    assert!(body.frame().await.is_none(), "an end stays an end");
    (text, sum, "end")
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_passes_through_frame_by_frame() {
    let frames = Frames::new([data("one"), Step::Pause(seconds(9)), data("two"), Step::Trailers("42")]);
    let taken = frames.taken();
    let (pool, answer) = answered(200, frames).await;
    let mut body = answer.into_body();
    settle().await;
    assert_eq!(taken.load(SeqCst), 0, "nothing is read ahead");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    settle().await;
    assert_eq!((taken.load(SeqCst), in_flight(&pool)), (1, 1));
    assert!(task::spawn(body.frame()).poll().is_pending());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers("42"));
    assert_eq!(in_flight(&pool), 1, "the end has not come yet");
    assert!(body.frame().await.is_none());
    assert_eq!((in_flight(&pool), look(&pool, "a").successes), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_length_is_as_exact_as_the_clients() {
    let (_, answer) = answered(200, Frames::new([data("12345"), data("67")]).sized().telling_its_end()).await;
    assert_eq!((answer.body().size_hint().exact(), answer.body().is_end_stream()), (Some(7), false));
    let (_, answer) = answered(200, Frames::new([data("12345")])).await;
    assert_eq!((answer.body().size_hint().lower(), answer.body().size_hint().upper()), (0, None));
    let (_, answer) = answered(429, Frames::new([data("12345"), data("67")])).await;
    let mut body = answer.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(7), false), "it was read to its end");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "1234567");
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
}

#[tokio::test(start_paused = true)]
async fn the_place_is_given_back_at_the_end_at_an_error_and_when_the_body_is_dropped() {
    let endings: [(&str, Vec<Step>, u64); 3] = [
        ("an end that is asked for", vec![data("x")], 0),
        ("trailers", vec![data("x"), Step::Trailers("1")], 0),
        ("an error", vec![data("x"), Step::Error], 1),
    ];
    for (name, steps, failures) in endings {
        let (pool, answer) = answered(200, Frames::new(steps)).await;
        let mut body = answer.into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(in_flight(&pool), 1, "{name}");
        while let Some(Ok(_)) = body.frame().await {}
        let a = look(&pool, "a");
        assert_eq!((a.in_flight, a.successes, a.failures), (0, 1, failures), "{name}");
        drop(body);
        assert_eq!(in_flight(&pool), 0, "{name}");
    }
    let (pool, answer) = answered(200, Frames::new([data("x")])).await;
    drop(answer);
    assert_eq!((in_flight(&pool), look(&pool, "a").failures), (0, 0));
    // A server drops a body of known length after its last frame, without asking for the end.
    let (pool, answer) = answered(200, Frames::new([data("x"), data("y")]).telling_its_end()).await;
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(in_flight(&pool), 1);
    body.frame().await.unwrap().unwrap();
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn answers_without_a_body_give_the_place_back_at_once() {
    for status in [101, 204, 304] {
        let (pool, answer) = answered(status, Frames::new([Step::Stall])).await;
        assert_eq!((answer.status().as_u16(), in_flight(&pool)), (status, 0));
    }
    let (pool, empty) = answered(200, Frames::new([]).telling_its_end()).await;
    assert_eq!((empty.status().as_u16(), in_flight(&pool)), (200, 0));
    let mut head = post();
    *head.method_mut() = Method::HEAD;
    let (pool, answer) = sent(head, Frames::new([Step::Stall]).answer(200)).await;
    assert_eq!((answer.status().as_u16(), in_flight(&pool), look(&pool, "a").successes), (200, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_reaches_the_caller_byte_for_byte() {
    let big: &'static str = "0123456789abcdef".repeat(5000).leak();
    let late = Step::Pause(seconds(2));
    type Read = (String, Option<&'static str>, &'static str);
    let cases: [(&str, Vec<Step>, Read); 8] = [
        ("empty", vec![], (String::new(), None, "end")),
        ("in pieces", vec![data("a"), Step::Yield, data("b")], ("ab".into(), None, "end")),
        ("with trailers", vec![data("a"), Step::Trailers("7")], ("a".into(), Some("7"), "end")),
        ("over the cap", vec![data(big), data(big), data(big), Step::Trailers("7")], (big.repeat(3), Some("7"), "end")),
        ("too slow", vec![data("a"), late.clone(), data("b"), Step::Trailers("7")], ("ab".into(), Some("7"), "end")),
        ("erroring midway", vec![data("a"), Step::Error], ("a".into(), None, "error")),
        ("slow to end", vec![data("a"), Step::Trailers("7"), late.clone()], ("a".into(), Some("7"), "end")),
        ("slow, then erroring", vec![data("a"), late, data("b"), Step::Error], ("ab".into(), None, "error")),
    ];
    for (name, steps, (text, sum, end)) in cases {
        let (pool, answer) = answered(429, Frames::new(steps)).await;
        assert_eq!((answer.status().as_u16(), in_flight(&pool)), (429, 0), "{name}");
        let read = read(answer.into_body()).await;
        assert!(read.0 == text, "{name}: {} bytes instead of {}", read.0.len(), text.len());
        assert_eq!((read.1.as_deref(), read.2), (sum, end), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_failure_is_waited_for_a_quarter_of_a_second_and_no_longer() {
    let start = Instant::now();
    let frames = Frames::new([data("a"), Step::Stall]);
    let taken = frames.taken();
    let (_, answer) = answered(429, frames).await;
    assert_eq!((start.elapsed(), taken.load(SeqCst)), (Duration::from_millis(250), 1));
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
    assert!(task::spawn(body.frame()).poll().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_cap_is_left_where_it_is() {
    let chunk: &'static str = "x".repeat(50_000).leak();
    let frames = Frames::new(vec![data(chunk); 10]).sized();
    let taken = frames.taken();
    let (_, answer) = answered(429, frames).await;
    assert_eq!(taken.load(SeqCst), 3, "128 KiB and what was under way");
    assert_eq!(answer.body().size_hint().exact(), Some(500_000), "what was read and the rest");
    let length = answer.into_body().collect().await.unwrap().to_bytes().len();
    assert_eq!(length, 500_000);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_broke_off_does_not_claim_to_be_whole() {
    let (_, answer) = answered(429, Frames::new([data("12345"), Step::Error])).await;
    let hint = answer.body().size_hint();
    assert_eq!((hint.lower(), hint.upper(), answer.body().is_end_stream()), (5, None, false));
}
