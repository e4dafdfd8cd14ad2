//! Errors before the first content of a stream: the request goes on with the next account.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use oauth_marathon::RequestContext;
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon_test::{BodyStep, Reply, ScriptedBody};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::scripted::{BUSY, LIMITED, PING, START, STOP, Stage, TEXT, data, read, stream, trailers, typed};
use crate::support::accounts::{in_flight, look, post, seconds, settle};

#[tokio::test(start_paused = true)]
async fn a_limit_in_the_first_event_moves_the_request_to_the_next_account() {
    let stage = Stage::of(&["a", "b"])
        .on("a", [stream([data(START), data(LIMITED)])])
        .on("b", [stream([data(START), data(TEXT), data(STOP)])]);
    let answer = stage.send().await;
    let attempts = RequestContext::of(answer.extensions()).unwrap().attempts();
    let kinds: Vec<_> = attempts.iter().map(|attempt| attempt.verdict.unwrap().kind()).collect();
    assert_eq!(kinds, [Kind::Throttled, Kind::Success]);
    assert_eq!(read(answer.into_body()).await, (format!("{START}{TEXT}{STOP}"), true));
    assert_eq!((stage.tokens(), stage.cooling("a")), (vec!["a".into(), "b".into()], Some(Kind::Throttled)));
    assert_eq!((stage.counts("a"), stage.counts("b")), ((0, 1, 0), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_overload_before_content_goes_on_like_a_529_and_after_it_is_passed_through() {
    let stage = Stage::of(&["a", "b"])
        .on("a", [stream([data(PING), data(BUSY)]), stream([data(START), data(BUSY)])])
        .on("b", [stream([data(TEXT), data(STOP)])]);
    assert_eq!(stage.text().await, (format!("{TEXT}{STOP}"), true));
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!((stage.cooling("a"), stage.counts("a").0), (None, 0));

    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(START), data(TEXT), data(BUSY)])]);
    assert_eq!(stage.text().await, (format!("{START}{TEXT}{BUSY}"), true));
    assert_eq!((stage.tokens(), stage.cooling("a")), (vec!["a".to_owned()], None));
    assert_eq!(stage.counts("a"), (1, 0, 0), "it is not the account's fault");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_left_the_caller_gets_the_stream_as_it_came() {
    let error: &'static str = format!("{START}{LIMITED}").leak();
    let (front, back) = error.split_at(40);
    for steps in [
        vec![data(error)],
        vec![data(front), BodyStep::Yield, data(back)],
        vec![data(START), data(LIMITED), BodyStep::Pause(seconds(9)), data("more")],
        vec![data(front), data(back), BodyStep::Trailers(trailers("7"))],
        vec![data(error), BodyStep::Error],
    ] {
        let stage = Stage::of(&["a"]).on("a", [stream(steps.clone())]);
        let start = Instant::now();
        let answer = stage.send().await;
        assert!(start.elapsed() <= Duration::from_millis(250));
        assert_eq!(
            (answer.status().as_u16(), answer.headers()[CONTENT_TYPE].to_str().unwrap()),
            (200, "text/event-stream")
        );
        assert_eq!((stage.cooling("a"), in_flight(&stage.pool)), (Some(Kind::Throttled), 0));
        let (text, whole) = read(answer.into_body()).await;
        let more = if steps.len() == 4 { "more" } else { "" };
        assert_eq!((text, whole), (format!("{error}{more}"), !matches!(steps.last(), Some(BodyStep::Error))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_not_given_again_from_memory() {
    let stage = Stage::of(&["a"]).on("a", [stream([data(LIMITED)])]);
    assert_eq!(stage.send().await.status(), 200);
    // The next caller may not be able to read streams.
    let answer = stage.send().await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "30"));
    assert_eq!(stage.tokens(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_before_its_content_is_tried_again() {
    // In a dialect that has an end: the provider failed.
    let good = || stream([data(TEXT), data(STOP)]);
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(START)]), good()]);
    assert_eq!(stage.text().await, (format!("{TEXT}{STOP}"), true));
    assert_eq!(stage.tokens(), ["a", "a"]);
    // The connection broke: as often as after any broken connection.
    let broken = || stream([data(START), BodyStep::Error]);
    let stage = Stage::of(&["a", "b"]).on("a", [broken(), broken()]).on("b", [good()]);
    assert_eq!(stage.text().await, (format!("{TEXT}{STOP}"), true));
    assert_eq!((stage.tokens(), stage.counts("a").1), (vec!["a".into(), "a".into(), "b".into()], 2));
    // An empty stream shows no dialect, so its end is a success.
    let stage = Stage::of(&["a", "b"]).on("a", [stream([])]);
    assert_eq!((stage.text().await, stage.counts("a")), ((String::new(), true), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_something_outranks_a_stream_that_broke_off() {
    let broken = || stream([data(START), BodyStep::Error]);
    let limited = Reply::status(429).stream(ScriptedBody::new([data("slow")]));
    let stage = Stage::of(&["a", "b"]).on("a", [limited]).on("b", [broken(), broken()]);
    let answer = stage.send().await;
    assert_eq!(answer.status(), 429);
    let stage = Stage::of(&["a"]).on("a", [broken(), broken()]);
    let answer = stage.send().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(read(answer.into_body()).await, (START.to_owned(), false));
}

#[tokio::test(start_paused = true)]
async fn lines_and_arrays_are_streams_too() {
    let error = "[{\n  \"error\": {\n    \"code\": 429,\n    \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}]";
    let good = "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}]}}]}\n,\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}]";
    let json = |text| typed("application/json; charset=UTF-8", [data(text)]);
    let stage = Stage::of(&["a", "b"]).on("a", [json(error), json(error)]).on("b", [json(good)]);
    let mut request = post();
    *request.uri_mut() = "https://api.example.com/v1beta/models/m:streamGenerateContent".parse().unwrap();
    let answer = stage.client(|layer| layer).oneshot(request).await.unwrap();
    assert_eq!(read(answer.into_body()).await, (good.to_owned(), true));
    assert_eq!((stage.cooling("a"), stage.counts("b")), (None, (1, 0, 0)));
    let models: Vec<_> = look(&stage.pool, "a").models.into_iter().map(|part| (part.model, part.cause)).collect();
    assert_eq!(models, [("m".into(), Kind::Throttled)], "its limits are of a model");

    let lines = |text| typed("application/x-ndjson", [data(text)]);
    let stage = Stage::of(&["a", "b"])
        .on("a", [lines("{\"error\":{\"code\":429}}\n")])
        .on("b", [lines("{\"response\":\"Hel\",\"done\":false}\n{\"done\":true}\n")]);
    assert!(stage.text().await.1);
    assert_eq!((stage.cooling("a"), stage.counts("b")), (Some(Kind::Throttled), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_the_users_own_judges_the_error_first() {
    fn own(answer: &Answer<'_>) -> Option<Verdict> {
        let text = std::str::from_utf8(answer.body()?).ok()?;
        text.contains("overloaded").then(|| Verdict::new(Kind::QuotaExhausted).with_retry_after(seconds(77)))
    }
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(BUSY)]), stream([data(TEXT), data(BUSY)])]);
    let client = stage.client(|layer| layer.classifier(classify_fn(own)));
    assert_eq!(client.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((stage.tokens(), stage.cooling("a")), (vec!["a".into(), "b".into()], Some(Kind::QuotaExhausted)));
    tokio::time::advance(seconds(78)).await;
    settle().await;
    assert_eq!(stage.cooling("a"), None);

    // A classifier that says "no error" lets the stream go.
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(BUSY)])]);
    let answer =
        stage.client(|layer| layer.classifier(classify_fn(|_| Some(Verdict::new(Kind::Success))))).oneshot(post());
    let answer = answer.await.unwrap();
    assert_eq!((read(answer.into_body()).await.0, stage.tokens()), (BUSY.to_owned(), vec!["a".to_owned()]));
}
