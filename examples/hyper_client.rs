//! The quick start: two accounts over the bundled HTTPS client. The first one is rate limited.
//!
//! The provider is a small server on a free port of this machine; for a real one only its origin changes.
//!
//! ```text
//! cargo run --example hyper_client
//! ```

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::events::Event;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, TokenSet};
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let origin = provider().await?;
    let http = HttpClient::<Full<Bytes>>::new()?;
    let in_an_hour = SystemClock::default().now() + Duration::from_secs(3600);

    let pool = Pool::builder("openai")
        .origin(&origin)
        .credential(Credential::new("work", TokenSet::new("limited").with_refresh("r1").expires_at(in_an_hour)))
        .credential(Credential::new("home", TokenSet::new("fresh")))
        // Not needed in this run: the token of `work` is good for an hour.
        .token_source(OAuth2::new("https://auth.example.com/oauth/token", "my-client-id", http.clone()))
        .notifier(|event: &Event| eprintln!("event:  {event}"))
        .build()?;
    let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(http);

    let request = http::Request::post(format!("{origin}/v1/chat")).body(Full::from("hello"))?;
    let response = client.oneshot(request).await?;
    let (status, body) = (response.status(), response.into_body().collect().await?.to_bytes());
    println!("answer: {status}, {}", String::from_utf8_lossy(&body));
    if status != 200 || body != "home says hello" {
        return Err("the second account was to answer".into());
    }
    Ok(())
}

/// A provider that has seen enough of one of the two tokens. Says where it is.
async fn provider() -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/v1/chat", post(chat));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}

async fn chat(headers: HeaderMap, prompt: String) -> Response {
    match headers.get("authorization").and_then(|value| value.to_str().ok()) {
        Some("Bearer fresh") => format!("home says {prompt}").into_response(),
        Some("Bearer limited") => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "20")], "slow down").into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}
