//! Errors inside of answers that began with 200: seen before the caller gets anything, or counted for the next request.

#[path = "support/accounts.rs"]
mod accounts;

use std::time::Duration;

use accounts::{in_flight, keys, look, names, post, seconds, settle};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::classify::{Answer, classify_fn};
use oauth_marathon::config::Settings;
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::testing::{BodyStep, Reply, ScriptedBody, ScriptedProvider};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{BoxError, MarathonBody, MarathonLayer, Pool, RequestContext};
use tokio::time::Instant;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt};

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const TEXT: &str =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hel\"}}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const BUSY: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
const LIMITED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n";

/// A frame of text.
fn data(text: &'static str) -> BodyStep {
    BodyStep::data(text)
}

/// The trailer `x-sum` of this value.
fn trailers(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static(value))])
}

fn stream(steps: impl IntoIterator<Item = BodyStep>) -> Reply {
    streamed(ScriptedBody::new(steps))
}

fn streamed(body: ScriptedBody) -> Reply {
    Reply::ok().header("content-type", "text/event-stream").stream(body)
}

fn typed(content_type: &'static str, steps: impl IntoIterator<Item = BodyStep>) -> Reply {
    Reply::ok().header("content-type", content_type).stream(ScriptedBody::new(steps))
}

/// A stack over a provider that answers each token by its script, and then with "ok".
struct Stage {
    pool: Pool,
    provider: ScriptedProvider,
}

impl Stage {
    fn new(pool: PoolBuilder) -> Self {
        let ok = ScriptedBody::new([data("ok")]);
        Self { pool: pool.build().unwrap(), provider: ScriptedProvider::new().otherwise(Reply::ok().stream(ok)) }
    }

    fn of(ids: &[&str]) -> Self {
        Self::new(keys(ids))
    }

    fn on(self, token: &str, answers: impl IntoIterator<Item = Reply>) -> Self {
        Self { pool: self.pool, provider: self.provider.on(token, answers) }
    }

    fn client(
        &self,
        layer: fn(MarathonLayer) -> MarathonLayer,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<MarathonBody<ScriptedBody>>, Error = BoxError> + use<>
    {
        layer(MarathonLayer::new(self.pool.clone())).layer(self.provider.clone())
    }

    async fn send(&self) -> Response<MarathonBody<ScriptedBody>> {
        self.client(|layer| layer).oneshot(post()).await.unwrap()
    }

    /// The whole text, and whether it came to its end.
    async fn text(&self) -> (String, bool) {
        read(self.send().await.into_body()).await
    }

    fn tokens(&self) -> Vec<String> {
        self.provider.tokens()
    }

    /// Successes, failures and places in use.
    fn counts(&self, id: &str) -> (u64, u64, u32) {
        let it = look(&self.pool, id);
        (it.successes, it.failures, it.in_flight)
    }

    fn rests(&self, id: &str) -> Option<Kind> {
        match look(&self.pool, id).standing {
            Standing::Cooling { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

async fn read(mut body: impl Body<Data = Bytes, Error = BoxError> + Unpin) -> (String, bool) {
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => text.push_str(std::str::from_utf8(&data).unwrap()),
            Ok(Err(_)) => {}
            Err(_) => return (text, false),
        }
    }
    assert!(body.frame().await.is_none(), "an end stays an end");
    (text, true)
}

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
    assert_eq!((stage.tokens(), stage.rests("a")), (vec!["a".into(), "b".into()], Some(Kind::Throttled)));
    assert_eq!((stage.counts("a"), stage.counts("b")), ((0, 1, 0), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_overload_before_content_goes_on_like_a_529_and_after_it_is_passed_through() {
    let stage = Stage::of(&["a", "b"])
        .on("a", [stream([data(PING), data(BUSY)]), stream([data(START), data(BUSY)])])
        .on("b", [stream([data(TEXT), data(STOP)])]);
    assert_eq!(stage.text().await, (format!("{TEXT}{STOP}"), true));
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!((stage.rests("a"), stage.counts("a").0), (None, 0));

    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(START), data(TEXT), data(BUSY)])]);
    assert_eq!(stage.text().await, (format!("{START}{TEXT}{BUSY}"), true));
    assert_eq!((stage.tokens(), stage.rests("a")), (vec!["a".to_owned()], None));
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
        assert_eq!((stage.rests("a"), in_flight(&stage.pool)), (Some(Kind::Throttled), 0));
        let (text, whole) = read(answer.into_body()).await;
        let more = if steps.len() == 4 { "more" } else { "" };
        assert_eq!((text, whole), (format!("{error}{more}"), !matches!(steps.last(), Some(BodyStep::Error))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_not_given_again_from_memory() {
    let stage = Stage::of(&["a"]).on("a", [stream([data(LIMITED)])]);
    assert_eq!(stage.send().await.status(), 200);
    // Whoever asks next may not read streams.
    let answer = stage.send().await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "30"));
    assert_eq!(stage.tokens(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_limit_lets_the_account_rest_before_the_next_request() {
    let stage =
        Stage::of(&["a", "b"]).on("a", [stream([data(START), data(TEXT), data(LIMITED), BodyStep::Pause(seconds(5))])]);
    let mut events = stage.pool.events();
    let mut body = stage.send().await.into_body();
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!((stage.rests("a"), stage.counts("a")), (None, (1, 0, 1)));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), LIMITED);
    // At once, while the stream is still open.
    assert_eq!((stage.rests("a"), stage.counts("a")), (Some(Kind::Throttled), (1, 1, 1)));
    assert_eq!(stage.text().await, ("ok".to_owned(), true));
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert!(body.frame().await.is_none());
    assert_eq!(stage.counts("a"), (1, 1, 0), "counted once");
    settle().await;
    assert_eq!(names(&mut events), ["cooling_down"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_limit_of_one_model_leaves_the_account_to_the_others() {
    let asking = |model| Request::post(post().uri()).body(Full::from(format!("{{\"model\":\"{model}\"}}"))).unwrap();
    fn of_the_model(answer: &Answer<'_>) -> Option<Verdict> {
        let limited = answer.body()?.windows(10).any(|part| part == b"rate_limit");
        limited.then(|| Verdict::new(Kind::Throttled).with_scope(Scope::Model).with_retry_after(seconds(60)))
    }
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(TEXT), data(LIMITED)])]);
    let client = |model| stage.client(move |layer| layer.classifier(classify_fn(of_the_model))).oneshot(asking(model));
    assert_eq!(read(client("large").await.unwrap().into_body()).await.0, format!("{TEXT}{LIMITED}"));
    assert_eq!(stage.rests("a"), None);
    for model in ["large", "small", "large"] {
        assert_eq!(client(model).await.unwrap().status(), 200);
    }
    assert_eq!(stage.tokens(), ["a", "b", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn content_and_a_limit_in_one_chunk_are_content_and_then_a_limit() {
    let both: &'static str = format!("{TEXT}{LIMITED}").leak();
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(both)])]);
    let answer = stage.send().await;
    assert_eq!((stage.tokens(), stage.rests("a")), (vec!["a".to_owned()], Some(Kind::Throttled)));
    assert_eq!(read(answer.into_body()).await, (both.to_owned(), true));
    assert_eq!(stage.counts("a"), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_a_missing_end_and_a_broken_body_are_told_apart() {
    for (name, steps, whole, failures) in [
        ("clean", vec![data(START), data(TEXT), data(STOP)], true, 0),
        ("missing", vec![data(START), data(TEXT)], true, 1),
        ("broken", vec![data(START), data(TEXT), BodyStep::Error], false, 1),
        ("broken after its end", vec![data(START), data(TEXT), data(STOP), BodyStep::Error], false, 0),
        ("late error, then broken", vec![data(TEXT), data(LIMITED), BodyStep::Error], false, 1),
        ("no dialect", vec![data("data: 1\n\n"), data("data: 2\n\n")], true, 0),
    ] {
        for told in [false, true] {
            let body = ScriptedBody::new(steps.clone());
            let body = if told { body.telling_its_end() } else { body };
            let stage = Stage::of(&["a", "b"]).on("a", [streamed(body)]);
            assert_eq!(stage.text().await.1, whole, "{name}");
            assert_eq!(stage.counts("a"), (1, failures, 0), "{name}, its end told: {told}");
        }
    }
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
    // Nobody knows what this is.
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
    assert_eq!((start.elapsed(), stage.rests("a")), (seconds(40), Some(Kind::Throttled)));

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
    assert_eq!(stage.rests("a"), None);
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
    assert_eq!((stage.rests("a"), stage.counts("b")), (None, (1, 0, 0)));
    let models: Vec<_> = look(&stage.pool, "a").models.into_iter().map(|rest| (rest.model, rest.cause)).collect();
    assert_eq!(models, [("m".into(), Kind::Throttled)], "its limits are of a model");

    let lines = |text| typed("application/x-ndjson", [data(text)]);
    let stage = Stage::of(&["a", "b"])
        .on("a", [lines("{\"error\":{\"code\":429}}\n")])
        .on("b", [lines("{\"response\":\"Hel\",\"done\":false}\n{\"done\":true}\n")]);
    assert!(stage.text().await.1);
    assert_eq!((stage.rests("a"), stage.counts("b")), (Some(Kind::Throttled), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_lengths_stay_exact() {
    let cut = |text: &'static str| text.as_bytes().chunks(7).map(|chunk| BodyStep::Data(Bytes::from_static(chunk)));
    let text: &'static str = format!("{START}{PING}{TEXT}{TEXT}{STOP}").leak();
    let steps: Vec<_> = cut(text).chain([BodyStep::Trailers(trailers("42"))]).collect();
    let stage = Stage::of(&["a"]).on("a", [streamed(ScriptedBody::new(steps).stating_its_length())]);
    let answer = stage.send().await;
    let mut body = answer.into_body();
    let mut left = text.len();
    let mut read = String::new();
    loop {
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left as u64), false));
        let Some(frame) = body.frame().await else { break };
        match frame.unwrap().into_data() {
            Ok(data) => {
                assert!(data.len() <= 7, "in the pieces in which it came");
                left -= data.len();
                read.push_str(std::str::from_utf8(&data).unwrap());
            }
            Err(frame) => {
                assert_eq!(frame.into_trailers().unwrap(), trailers("42"));
                break;
            }
        }
    }
    assert_eq!((read.as_str(), left), (text, 0));
    assert!(body.frame().await.is_none());
    assert_eq!(stage.counts("a"), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_content_nothing_is_read_ahead() {
    let frames = ScriptedBody::new([data(START), data(TEXT), data(TEXT), data(STOP)]);
    let watch = frames.watch();
    let stage = Stage::of(&["a"]).on("a", [streamed(frames)]);
    let mut body = stage.send().await.into_body();
    let taken = || watch.frames_taken();
    settle().await;
    assert_eq!(taken(), 2, "the content and what came before it");
    for expected in [2, 2, 3, 4] {
        body.frame().await.unwrap().unwrap();
        settle().await;
        assert_eq!(taken(), expected);
    }
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
    assert_eq!((stage.tokens(), stage.rests("a")), (vec!["a".into(), "b".into()], Some(Kind::QuotaExhausted)));
    tokio::time::advance(seconds(78)).await;
    settle().await;
    assert_eq!(stage.rests("a"), None);

    // Who says that it is no error lets the stream go.
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(BUSY)])]);
    let answer =
        stage.client(|layer| layer.classifier(classify_fn(|_| Some(Verdict::new(Kind::Success))))).oneshot(post());
    let answer = answer.await.unwrap();
    assert_eq!((read(answer.into_body()).await.0, stage.tokens()), (BUSY.to_owned(), vec!["a".to_owned()]));
}

fn limits(limit: &str, used: u32) -> String {
    format!(
        "event: codex.rate_limits\ndata: {{\"type\":\"codex.rate_limits\",\"limit_id\":\"{limit}\",\"rate_limits\":\
         {{\"primary\":{{\"used_percent\":{used},\"window_minutes\":300,\"reset_after_seconds\":600}}}}}}\n\n"
    )
}

fn leaked(text: &str) -> &'static str {
    Box::leak(text.into())
}

#[tokio::test(start_paused = true)]
async fn an_event_about_limits_is_known_of_the_account_and_hides_nothing() {
    let (early, late, other) = (limits("codex", 10), limits("codex", 70), limits("gpt_spark", 100));
    let steps = [data(leaked(&early)), data(TEXT), data(leaked(&late)), data(leaked(&other)), data(STOP)];
    let stage = Stage::of(&["a", "b"]).on("a", [stream(steps)]);
    let left = || look(&stage.pool, "a").quota.left().map(|left| (left * 100.0).round());

    let mut body = stage.send().await.into_body();
    assert_eq!(left(), Some(90.0), "told before the first content");
    let mut text = String::new();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        seen.push(left());
    }
    assert_eq!(text, format!("{early}{TEXT}{late}{other}{STOP}"));
    assert_eq!(seen, [Some(90.0), Some(90.0), Some(30.0), Some(30.0), Some(30.0)]);
    let quota = look(&stage.pool, "a").quota;
    assert!(quota.window("gpt-spark-primary").is_some_and(|window| window.exhausted));
    assert!(look(&stage.pool, "b").quota.is_empty());
    assert_eq!((stage.rests("a"), stage.counts("a")), (None, (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_event_about_limits_counts_also_where_its_stream_fails_at_once() {
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(leaked(&limits("codex", 100))), data(LIMITED)])]);
    assert_eq!(stage.text().await, ("ok".to_owned(), true));
    assert_eq!(look(&stage.pool, "a").quota.left(), Some(0.0));
    assert_eq!(stage.rests("a"), Some(Kind::Throttled));

    // One that is too long for what it says is passed on, and not kept.
    let long = limits("codex", 50).replace("{\"primary\"", &format!("{{\"x\":\"{}\",\"primary\"", "x".repeat(9_000)));
    let stage = Stage::of(&["a"]).on("a", [stream([data(leaked(&long)), data(TEXT), data(STOP)])]);
    assert_eq!(stage.text().await, (format!("{long}{TEXT}{STOP}"), true));
    assert!(look(&stage.pool, "a").quota.is_empty());
}
