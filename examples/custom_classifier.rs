//! A provider with habits of its own: its quota comes as a 400, and only the body says so.
//!
//! The standard classifier takes a 400 for the request's own fault and returns it at once. A few lines refine it. A
//! strategy of our own and the stream of events come along.
//!
//! ```text
//! cargo run --example custom_classifier
//! ```

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::pool::{Candidate, Choice, Strategy};
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, RequestContext, Secret};
use tower::{ServiceBuilder, ServiceExt};

/// `{"code": "quota", "resets_in": 90}` under any status. `None` leaves the answer to the standard classifier.
fn quota(answer: &Answer<'_>) -> Option<Verdict> {
    let body: serde_json::Value = serde_json::from_slice(answer.body()?).ok()?;
    let seconds = body["resets_in"].as_u64().filter(|_| body["code"] == "quota")?;
    Some(Verdict::new(Kind::QuotaExhausted).with_retry_after(Duration::from_secs(seconds)))
}

/// Spares the account that answered most.
struct LeastUsed;

impl Strategy for LeastUsed {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        (0..ready.len()).min_by_key(|&at| ready[at].successes)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let origin = provider().await?;
    let pool = Pool::builder("habits")
        .origin(&origin)
        .credential(Credential::new("one", Secret::new("k1")).header("x-api-key"))
        .credential(Credential::new("two", Secret::new("k2")).header("x-api-key"))
        .credential(Credential::new("three", Secret::new("k3")).header("x-api-key"))
        .strategy(LeastUsed)
        .build()?;
    let mut events = pool.events();
    let client = ServiceBuilder::new()
        .layer(MarathonLayer::new(pool.clone()).classifier(classify_fn(quota)))
        .service(HttpClient::<Full<Bytes>>::new()?);

    for (path, status, accounts) in [
        ("/ask", 200, &["one", "two"][..]), // `one` has no quota left
        ("/ask", 200, &["three"]),          // `two` has answered once
        ("/typo", 400, &["two"]),           // another 400 is still the request's own fault
    ] {
        let request = http::Request::post(format!("{origin}{path}")).body(Full::default())?;
        let context = RequestContext::new();
        let response = context.clone().scope(client.clone().oneshot(request)).await?;
        println!("POST {path}: {}", response.status());
        let attempts = context.attempts();
        for attempt in &attempts {
            let account = attempt.credential.as_ref().map_or("-", |id| id.as_str());
            println!(
                "  try    {account:<5}  {}",
                attempt.verdict.map(|verdict| verdict.to_string()).unwrap_or_default()
            );
        }
        while let Some(event) = events.try_recv() {
            println!("  event  {event}");
        }
        let went: Vec<_> =
            attempts.iter().filter_map(|attempt| attempt.credential.as_ref()).map(|id| id.as_str()).collect();
        if response.status() != status || went != accounts {
            return Err(format!("{status} by {accounts:?} was to come, and {went:?} went").into());
        }
    }
    Ok(())
}

async fn provider() -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let app = Router::new()
        .route("/ask", post(ask))
        .route("/typo", post(async || (StatusCode::BAD_REQUEST, r#"{"code": "unknown_model"}"#)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}

async fn ask(headers: HeaderMap) -> Response {
    if headers.get("x-api-key").is_some_and(|key| key == "k1") {
        return (StatusCode::BAD_REQUEST, r#"{"code": "quota", "resets_in": 90}"#).into_response();
    }
    "an answer".into_response()
}
