//! A web backend that calls a provider for its users, and says which account served them.
//!
//! The client with all its accounts is axum state. The handler puts a `RequestContext` around its call, and reads the
//! attempt log from it afterwards.
//!
//! ```text
//! cargo run --example axum_backend
//! ```

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::{BoxError, Credential, Error, Marathon, MarathonLayer, Pool, RequestContext, TokenSet};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};

/// What the handlers share. Clones share the pool and its connections.
#[derive(Clone)]
struct Backend {
    provider: Marathon<HttpClient<Full<Bytes>>>,
    url: String,
}

async fn summarize(State(backend): State<Backend>, text: String) -> Response {
    let context = RequestContext::new().with_timeout(Duration::from_secs(20));
    let answer = context.clone().scope(ask(backend, text)).await;
    let attempts: Vec<_> = context
        .attempts()
        .iter()
        .map(|attempt| {
            let account = attempt.credential.as_ref().map(|id| id.as_str());
            json!({ "account": account, "outcome": attempt.verdict.map(|verdict| verdict.to_string()) })
        })
        .collect();
    match answer {
        Ok((StatusCode::OK, summary)) => {
            let served_by = attempts.last().map(|last| last["account"].clone());
            Json(json!({ "summary": summary, "served_by": served_by, "attempts": attempts })).into_response()
        }
        // The provider's own words may be about our accounts: users get the time only.
        Ok((status, _)) => {
            let wait = context.recovery().map(|wait| wait.as_secs() + 1);
            (StatusCode::BAD_GATEWAY, Json(json!({ "provider": status.as_u16(), "retry_after": wait }))).into_response()
        }
        Err(error) => {
            let ours = Error::find(&*error).map(|error| format!("{:?}", error.kind()));
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": ours, "attempts": attempts }))).into_response()
        }
    }
}

async fn ask(backend: Backend, text: String) -> Result<(StatusCode, String), BoxError> {
    let request = Request::post(backend.url).body(Full::from(text))?;
    let response = backend.provider.oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let origin = serve(Router::new().route("/v1/summaries", post(provider))).await?;
    let pool = Pool::builder("provider")
        .origin(&origin)
        .credential(Credential::new("work", TokenSet::new("work-token")))
        .credential(Credential::new("home", TokenSet::new("home-token")))
        .build()?;
    let http = HttpClient::new()?;
    let provider = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(http.clone());
    let backend = Backend { provider, url: format!("{origin}/v1/summaries") };
    let backend = serve(Router::new().route("/summarize", post(summarize)).with_state(backend)).await?;

    // From here on this is a user of the backend.
    for (text, accounts) in [
        ("a short text", &["work"][..]),
        ("a text of far too many words for one", &["work", "home"]),
        ("another short text", &["home"]),
    ] {
        let request = Request::post(format!("{backend}/summarize")).body(Full::<Bytes>::from(text))?;
        let response = http.clone().oneshot(request).await?;
        let status = response.status();
        let answer: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
        println!(
            "POST /summarize {text:?}\n  {status}\n  served by {}\n  attempts  {}",
            answer["served_by"], answer["attempts"]
        );
        let went: Vec<_> =
            answer["attempts"].as_array().into_iter().flatten().map(|attempt| &attempt["account"]).collect();
        if status != 200 || went != accounts {
            return Err(format!("{accounts:?} were to be asked, and the answer was {answer}").into());
        }
    }
    pool.shutdown().await;
    Ok(())
}

/// A provider. Long texts use up the quota of its account `work`.
async fn provider(headers: HeaderMap, text: String) -> Response {
    let words = text.split(' ').count();
    if words > 5 && headers.get("authorization").is_some_and(|token| token == "Bearer work-token") {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]).into_response();
    }
    format!("{words} words").into_response()
}

async fn serve(app: Router) -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}
