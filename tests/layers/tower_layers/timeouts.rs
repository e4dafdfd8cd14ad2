//! `Timeout`: above it ends the request, below it ends the attempt.

use std::time::Duration;

use oauth_marathon::MarathonLayer;
use oauth_marathon_test::{ProbeLayer, Reply, ScriptedProvider};
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{ServiceBuilder, ServiceExt};

use super::requests::{pool, request};

fn silent_then_well() -> ScriptedProvider {
    ScriptedProvider::new().on("t-work", [Reply::pending(), Reply::pending()])
}

#[tokio::test(start_paused = true)]
async fn above_a_timeout_ends_the_request_and_holds_nothing_against_the_credential() {
    let (pool, probe, provider) = (pool(), ProbeLayer::new(), silent_then_well());
    let client = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .layer(MarathonLayer::new(pool.clone()))
        .layer(probe.clone())
        .service(provider.clone());
    let error = client.oneshot(request()).await.map(|answer| answer.status()).unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(provider.tokens(), ["t-work"]);
    assert_eq!((probe.counts().cancelled, probe.counts().in_flight), (1, 0));
    assert_eq!(pool.snapshot().credentials[0].failures, 0);
    assert_eq!(pool.snapshot().credentials[0].id, "work");
}

#[tokio::test(start_paused = true)]
async fn below_a_timeout_ends_the_attempt_and_the_request_goes_on() {
    let (pool, provider) = (pool(), silent_then_well());
    let client = ServiceBuilder::new()
        .layer(MarathonLayer::new(pool.clone()))
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .layer(ProbeLayer::new())
        .service(provider.clone());
    assert_eq!(client.oneshot(request()).await.unwrap().status(), 200);
    assert_eq!(provider.tokens(), ["t-work", "t-work", "t-home"]);
    assert_eq!(pool.snapshot().credential("work").unwrap().failures, 2);
}
