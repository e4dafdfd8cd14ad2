//! Scripts for which tower's retry cannot do the same as our layer, as the policy's documentation says.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::RequestContext;
use oauth_marathon::config::Settings;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::retry::{RetryLayer, RetryPolicy};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::stacks::{Case, pool, through_ours, through_tower};

#[tokio::test(start_paused = true)]
async fn ours_returns_the_best_answer_and_towers_the_last() {
    let replies = |status, body: &'static str| vec![Reply::status(status).body(body)];
    let scripts =
        vec![("a1", replies(429, "load")), ("b1", replies(402, "one account")), ("c1", replies(402, "one account"))];
    let case = Case::new("best or last", scripts);
    let (ours, towers) = (through_ours(&case).await, through_tower(&case).await);
    assert_eq!((&ours.sends, &ours.attempts), (&towers.sends, &towers.attempts));
    assert_eq!(ours.answers, [Ok((429, "load".to_owned()))]);
    assert_eq!(towers.answers, [Ok((402, "one account".to_owned()))]);
}

#[tokio::test(start_paused = true)]
async fn ours_returns_an_earlier_answer_where_towers_ends_with_the_error() {
    let scripts = vec![
        ("a1", vec![Reply::status(429).body("load")]),
        ("b1", vec![Reply::connection_error(), Reply::connection_error(), Reply::connection_error()]),
        ("c1", vec![Reply::connection_error(), Reply::connection_error()]),
    ];
    let case = Case::new("an answer outranks an error", scripts);
    let (ours, towers) = (through_ours(&case).await, through_tower(&case).await);
    assert_eq!((&ours.sends, &ours.attempts), (&towers.sends, &towers.attempts));
    assert_eq!(ours.answers, [Ok((429, "load".to_owned()))]);
    assert_eq!(towers.answers, [Err("scripted: the connection broke".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn towers_keeps_no_time_limit_of_an_attempt() {
    let case = Case::new("attemptTimeoutMs", vec![("a1", vec![Reply::ok().after(Duration::from_secs(9))])])
        .settings(|settings| settings.attempt_timeout = Some(Duration::from_secs(1)));
    assert_eq!(through_ours(&case).await.sends, ["a1", "b1"]);
    assert_eq!(through_tower(&case).await.sends, ["a1"]);
}

/// Ready once, then broken or never ready again.
fn fading(breaks: bool) -> ScriptedProvider {
    let provider = ScriptedProvider::new().on("a1", [Reply::status(429)]);
    if breaks { provider.readiness_fails_after(1) } else { provider.never_ready_after(1) }
}

fn request(context: &RequestContext) -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1").extension(context.clone()).body(Full::from("{}")).unwrap()
}

/// A request through either stack over a client that is ready once.
async fn faded(ours: bool, breaks: bool) -> Result<u16, String> {
    let pool = pool(&Settings::default());
    let context = RequestContext::new().with_timeout(Duration::from_secs(5));
    let below = CredentialLayer::new(pool.clone()).layer(ClassifyLayer::new().layer(fading(breaks)));
    let answer = if ours {
        NotifyLayer::new().layer(RetryLayer::new(pool.settings()).layer(below)).oneshot(request(&context)).await
    } else {
        let retry = tower::retry::RetryLayer::new(RetryPolicy::new(pool.settings()));
        NotifyLayer::new().layer(retry.layer(below)).oneshot(request(&context)).await
    };
    answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_costs_towers_the_answer_and_ours_not() {
    assert_eq!(faded(true, true).await, Ok(429));
    assert_eq!(faded(false, true).await, Err("scripted: the service is broken".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn towers_waits_for_readiness_past_the_deadline_and_ours_returns_in_time() {
    assert_eq!(faded(true, false).await, Ok(429));
    let waited = tokio::time::timeout(Duration::from_secs(3_600), faded(false, false)).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_context_the_policy_sends_once() {
    let pool = pool(&Settings::default());
    let provider = ScriptedProvider::new().on("a1", [Reply::status(429)]);
    let client = ServiceBuilder::new()
        .layer(tower::retry::RetryLayer::new(RetryPolicy::new(pool.settings())))
        .layer(CredentialLayer::new(pool.clone()))
        .layer(ClassifyLayer::new())
        .service(provider.clone());
    let request = Request::post("https://api.example.com/v1").body(Full::<Bytes>::from("{}")).unwrap();
    assert_eq!(client.oneshot(request).await.unwrap().status(), 429);
    assert_eq!(provider.tokens(), ["a1"]);
}
