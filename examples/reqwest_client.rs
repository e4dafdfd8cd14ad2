//! Two accounts under reqwest-middleware. The first one is rate limited, and a middleware of ours logs every attempt.
//!
//! The provider is a small server on a free port of this machine; for a real one only its origin changes.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```

use async_trait::async_trait;
use axum::Router;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use oauth_marathon::clients::reqwest::{MarathonMiddleware, redirect_policy};
use oauth_marathon::events::Event;
use oauth_marathon::{BoxError, Credential, Pool, RequestContext, Secret};
use reqwest_middleware::{ClientBuilder, Middleware, Next};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let origin = provider().await?;
    let pool = Pool::builder("openai")
        .origin(&origin)
        .credential(Credential::new("work", Secret::new("limited")).header("x-api-key"))
        .credential(Credential::new("home", Secret::new("fresh")).header("x-api-key"))
        .notifier(|event: &Event| eprintln!("event:   {event}"))
        .build()?;

    // reqwest would take `x-api-key` along to wherever it is redirected.
    let client = reqwest::Client::builder().redirect(redirect_policy(&pool)).build()?;
    let client = ClientBuilder::new(client)
        .with(MarathonMiddleware::from(pool))
        // Below ours, so it runs once for each attempt.
        .with(LogAttempts)
        .build();

    let context = RequestContext::new();
    let url = format!("{origin}/v1/chat");
    let response = client.post(url).body("hello").with_extension(context.clone()).send().await?;
    let (status, url) = (response.status(), response.url().clone());
    let body = response.text().await?;
    println!("answer:  {status} from {url}: {body}");
    for attempt in context.attempts() {
        if let (Some(credential), Some(verdict)) = (attempt.credential, attempt.verdict) {
            println!("attempt: {} with {credential}: {verdict}", attempt.number);
        }
    }
    if status != 200 || body != "home says hello" || context.attempts().len() != 2 {
        return Err("the second account was to answer".into());
    }
    Ok(())
}

/// Any other middleware of the chain sees which attempt it is part of.
struct LogAttempts;

#[async_trait]
impl Middleware for LogAttempts {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let attempt = RequestContext::of(extensions).map_or(0, |context| context.attempts().len());
        println!("sending: attempt {attempt} to {}", request.url());
        next.run(request, extensions).await
    }
}

/// A provider that has seen enough of one of the two keys. Says where it is.
async fn provider() -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/v1/chat", post(chat));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}

async fn chat(headers: HeaderMap, prompt: String) -> Response {
    match headers.get("x-api-key").map(|value| value.as_bytes()) {
        Some(b"fresh") => format!("home says {prompt}").into_response(),
        Some(b"limited") => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "20")], "slow down").into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}
