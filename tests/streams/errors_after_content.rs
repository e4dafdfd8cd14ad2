//! Errors after the first content of a stream: they count for the next request.

use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon_test::{BodyStep, ScriptedBody};
use tower::ServiceExt;

use crate::scripted::{LIMITED, START, STOP, Stage, TEXT, data, read, stream, streamed};
use crate::support::accounts::{names, post, seconds, settle};

#[tokio::test(start_paused = true)]
async fn a_late_limit_makes_the_account_cool_before_the_next_request() {
    let stage =
        Stage::of(&["a", "b"]).on("a", [stream([data(START), data(TEXT), data(LIMITED), BodyStep::Pause(seconds(5))])]);
    let mut events = stage.pool.events();
    let mut body = stage.send().await.into_body();
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!((stage.cooling("a"), stage.counts("a")), (None, (1, 0, 1)));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), LIMITED);
    // At once, while the stream is still open.
    assert_eq!((stage.cooling("a"), stage.counts("a")), (Some(Kind::Throttled), (1, 1, 1)));
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
    assert_eq!(stage.cooling("a"), None);
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
    assert_eq!((stage.tokens(), stage.cooling("a")), (vec!["a".to_owned()], Some(Kind::Throttled)));
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
