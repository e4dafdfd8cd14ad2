//! Tests of the scripted provider, the manual clock and the probe.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, Service, ServiceExt};

use oauth_marathon_test::{ProbeLayer, Reply, ScriptedProvider};

fn with(token: &str) -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1").header("authorization", token).body(Full::from("{}")).unwrap()
}

#[tokio::test]
async fn each_token_has_its_own_script_and_each_call_its_own_reply() {
    let provider = ScriptedProvider::new()
        .on("a", [Reply::status(429).header("retry-after", "7").body("slow"), Reply::status(503)])
        .then(Reply::status(418))
        .otherwise(Reply::status(404));
    let mut seen = Vec::new();
    for token in ["Bearer a", "b", "Bearer a", "a", "b"] {
        seen.push(provider.clone().oneshot(with(token)).await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [429, 418, 503, 404, 404]);
    assert_eq!(provider.tokens(), ["a", "b", "a", "a", "b"]);
    assert_eq!(provider.requests()[0].body.as_deref(), Some(&b"{}"[..]));
    assert_eq!(provider.requests()[0].head.uri(), "https://api.example.com/v1");
}

#[tokio::test]
async fn an_answer_carries_its_headers_and_body_and_another_header_can_hold_the_token() {
    let reply = Reply::ok().header("x-a", "1").header("x-a", "2").body("hello");
    let provider = ScriptedProvider::reading("x-api-key".parse().unwrap()).on("k", [reply]);
    let request = Request::get("/").header("x-api-key", "k").body(Empty::<Bytes>::new()).unwrap();
    let answer = provider.oneshot(request).await.unwrap();
    assert_eq!(answer.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_be_late_an_error_or_nothing() {
    let provider = ScriptedProvider::new()
        .then(Reply::ok().after(Duration::from_secs(3)))
        .then(Reply::connection_error())
        .then(Reply::pending());
    let begun = tokio::time::Instant::now();
    provider.clone().oneshot(with("a")).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    let error = provider.clone().oneshot(with("a")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let silent = tokio::time::timeout(Duration::from_secs(999), provider.oneshot(with("a"))).await;
    assert!(silent.is_err());
}

#[tokio::test]
#[should_panic(expected = "without having been polled ready")]
async fn a_clone_of_a_ready_provider_is_not_ready() {
    let mut provider = ScriptedProvider::new();
    ServiceExt::<Request<Full<Bytes>>>::ready(&mut provider).await.unwrap();
    drop(provider.clone().call(with("a")));
}

#[tokio::test]
#[should_panic(expected = "without having been polled ready")]
async fn a_probe_is_ready_for_one_call_only() {
    let mut probe = ProbeLayer::new().layer(tower::service_fn(async |()| Ok::<_, ()>(())));
    probe.ready().await.unwrap().call(()).await.unwrap();
    drop(probe.call(()));
}

#[tokio::test]
async fn a_probe_tells_what_ended_from_what_was_dropped() {
    let probe = ProbeLayer::new();
    let service = probe.layer(ScriptedProvider::new().then(Reply::connection_error()).otherwise(Reply::pending()));
    assert!(service.clone().oneshot(with("a")).await.is_err());
    let mut calls: Vec<_> = (0..3).map(|_| tokio_test::task::spawn(service.clone().oneshot(with("a")))).collect();
    for call in &mut calls {
        assert!(call.poll().is_pending());
    }
    assert_eq!(probe.counts().in_flight, 3);
    drop(calls);
    let counts = probe.counts();
    assert_eq!((counts.calls, counts.completed, counts.cancelled), (4, 1, 3));
    assert_eq!((counts.in_flight, counts.most_in_flight), (0, 3));
}

#[test]
fn what_the_kit_records_never_shows_a_token() {
    let provider = ScriptedProvider::new();
    let mut request = with("Bearer s3cret");
    request.headers_mut().get_mut("authorization").unwrap().set_sensitive(true);
    tokio_test::block_on(provider.clone().oneshot(request)).unwrap();
    let shown = format!("{provider:?} {:?}", provider.requests());
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_eq!(provider.requests()[0].token(), Some("s3cret"));
}
