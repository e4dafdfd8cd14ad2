//! The layers of tower-http, above and below the stack.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::MarathonLayer;
use oauth_marathon::layers::credential::OriginGuardLayer;
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;

use super::requests::{limited, pool, request};

fn one_limited() -> ScriptedProvider {
    ScriptedProvider::new().on("t-work", [limited()])
}

type Seen = Arc<Mutex<Vec<String>>>;

/// A trace layer that notes each request as it sees it.
macro_rules! tracing_to {
    ($seen:expr) => {{
        let seen = $seen.clone();
        TraceLayer::new_for_http().on_request(move |request: &Request<_>, _: &tracing::Span| {
            seen.lock().unwrap().push(format!("{:?}", request.headers()));
        })
    }};
}

#[tokio::test(start_paused = true)]
async fn a_trace_sees_one_request_above_and_each_attempt_below_and_no_token_either_way() {
    let (above, below): (Seen, Seen) = Default::default();
    let client = ServiceBuilder::new()
        .layer(tracing_to!(above))
        .layer(MarathonLayer::new(pool()))
        .layer(tracing_to!(below))
        .service(one_limited());
    assert_eq!(client.oneshot(request()).await.unwrap().status(), 200);
    assert_eq!((above.lock().unwrap().len(), below.lock().unwrap().len()), (1, 2));
    let shown = format!("{:?} {:?}", above.lock().unwrap(), below.lock().unwrap());
    assert!(!shown.contains("t-work") && !shown.contains("t-home"), "{shown}");
    assert_eq!(below.lock().unwrap()[0], "{\"authorization\": Sensitive}");
}

#[tokio::test(start_paused = true)]
async fn a_header_of_the_callers_own_is_marked_above_and_stays_so_in_every_attempt() {
    let provider = one_limited();
    let name = HeaderName::from_static("x-caller-key");
    let client = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([name.clone()]))
        .layer(MarathonLayer::new(pool()))
        .service(provider.clone());
    let mut request = request();
    request.headers_mut().insert(name.clone(), "k".parse().unwrap());
    client.oneshot(request).await.unwrap();
    let marked: Vec<_> = provider.requests().iter().map(|sent| sent.head.headers()[&name].is_sensitive()).collect();
    assert_eq!(marked, [true, true]);
}

/// `abc`, compressed.
const GZIPPED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0x4c, 0x4a, 0x06, 0x00, 0xc2, 0x41, 0x24, 0x35,
    0x03, 0x00, 0x00, 0x00,
];

#[tokio::test(start_paused = true)]
async fn decompression_below_lets_the_classifier_read_what_the_provider_says() {
    use oauth_marathon::verdict::{Answer, classify_fn};
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let layer = |seen: Arc<Mutex<Vec<Vec<u8>>>>| {
        MarathonLayer::new(pool()).classifier(classify_fn(move |answer: &Answer<'_>| {
            seen.lock().unwrap().push(answer.body()?.to_vec());
            None
        }))
    };
    let failed = || {
        let reply = Reply::status(400).header("content-encoding", "gzip").body(Bytes::from_static(GZIPPED));
        ScriptedProvider::new().otherwise(reply)
    };
    let below = ServiceBuilder::new().layer(layer(seen.clone())).layer(DecompressionLayer::new()).service(failed());
    let answer = below.oneshot(request()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "abc");
    assert_eq!(*seen.lock().unwrap(), [b"abc".to_vec()]);

    seen.lock().unwrap().clear();
    let above = ServiceBuilder::new().layer(DecompressionLayer::new()).layer(layer(seen.clone())).service(failed());
    let answer = above.oneshot(request()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "abc");
    assert_eq!(*seen.lock().unwrap(), [GZIPPED.to_vec()]);
}

/// The redirect layer copies no body but an empty one.
fn bodiless() -> Request<Full<Bytes>> {
    Request::get("https://api.example.com/v1/models").body(Full::default()).unwrap()
}

fn moved(to: &str) -> ScriptedProvider {
    ScriptedProvider::new().on("t-work", [Reply::status(307).header("location", to)])
}

#[tokio::test(start_paused = true)]
async fn above_each_redirect_is_a_request_of_its_own_and_another_origin_is_refused() {
    let layers = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(MarathonLayer::new(pool()));
    let provider = moved("/v2");
    assert_eq!(layers.service(provider.clone()).oneshot(bodiless()).await.unwrap().status(), 200);
    assert_eq!(provider.tokens(), ["t-work", "t-work"]);

    let layers = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(MarathonLayer::new(pool()));
    let provider = moved("https://elsewhere.example.net/");
    let error = layers.service(provider.clone()).oneshot(bodiless()).await.map(|answer| answer.status()).unwrap_err();
    assert!(error.to_string().contains("https://elsewhere.example.net"), "{error}");
    assert_eq!(provider.tokens(), ["t-work"]);
}

#[tokio::test(start_paused = true)]
async fn below_a_redirect_carries_the_credential_to_its_own_origin_only_under_the_guard() {
    for (to, tokens) in [("/v2", ["t-work", "t-work"]), ("https://elsewhere.example.net/", ["t-work", ""])] {
        let (pool, provider) = (pool(), moved(to));
        let client = ServiceBuilder::new()
            .layer(MarathonLayer::new(pool.clone()))
            .layer(FollowRedirectLayer::new())
            .layer(OriginGuardLayer::new(pool))
            .service(provider.clone());
        assert_eq!(client.oneshot(bodiless()).await.unwrap().status(), 200);
        assert_eq!(provider.tokens(), tokens, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn below_a_redirect_without_the_guard_a_custom_header_reaches_the_other_origin() {
    // Why the guard is there: the redirect layer knows `authorization`, but no header of a credential's own.
    let pool = oauth_marathon::Pool::builder("openai")
        .origin("https://api.example.com")
        .credential(oauth_marathon::Credential::new("key", oauth_marathon::Secret::new("k1")).header("x-api-key"))
        .build()
        .unwrap();
    let key = || HeaderName::from_static("x-api-key");
    let reply = || Reply::status(307).header("location", "https://elsewhere.example.net/");
    let unguarded = ScriptedProvider::reading(key()).on("k1", [reply()]);
    let client = MarathonLayer::new(pool.clone()).layer(FollowRedirectLayer::new().layer(unguarded.clone()));
    let _: Response<_> = client.oneshot(bodiless()).await.unwrap();
    assert_eq!(unguarded.tokens(), ["k1", "k1"]);

    let guarded = ScriptedProvider::reading(key()).on("k1", [reply()]);
    let guard = OriginGuardLayer::new(pool.clone()).layer(guarded.clone());
    let client = MarathonLayer::new(pool).layer(FollowRedirectLayer::new().layer(guard));
    let _: Response<_> = client.oneshot(bodiless()).await.unwrap();
    assert_eq!(guarded.tokens(), ["k1", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_a_request_with_a_body_is_not_followed_and_comes_back_as_it_is() {
    let provider = moved("/v2");
    let client = MarathonLayer::new(pool()).layer(FollowRedirectLayer::new().layer(provider.clone()));
    assert_eq!(client.oneshot(request()).await.unwrap().status(), 307);
    assert_eq!(provider.tokens(), ["t-work"]);
}
