//! A web backend that calls a provider for its users, and says which account served them.
//!
//! The client with all its accounts is axum state. The handler puts a `RequestContext` around its call, and reads the
//! attempt log from it afterwards.
//!
//! ```text
//! cargo run --example axum_backend
//! ```

mod support;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::{BoxError, Credential, Error, Marathon, MarathonLayer, Pool, RequestContext, TokenSet};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};

use self::support::{Provider, Trouble};

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

fn routes(origin: &str) -> Result<Router, BoxError> {
    let pool = Pool::builder("provider")
        .origin(origin)
        .credential(Credential::new("work", TokenSet::new("work-access-1")))
        .credential(Credential::new("home", TokenSet::new("home-access-1")))
        .build()?;
    let provider = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(HttpClient::new()?);
    let backend = Backend { provider, url: format!("{origin}/v1/chat") };
    Ok(Router::new().route("/summarize", post(summarize)).with_state(backend))
}

/// The check: a user of the backend asks three times. In between, the account that answered is limited.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let provider = Provider::start(["work", "home"]).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/summarize", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, routes(&provider.origin)?).into_future());

    assert_eq!(accounts_that_serve(&url, "a short text").await?, ["work"]);
    provider.trouble("work", Trouble::Limited(60));
    assert_eq!(accounts_that_serve(&url, "another text").await?, ["work", "home"]);
    assert_eq!(accounts_that_serve(&url, "the last text").await?, ["home"]);
    Ok(())
}

async fn accounts_that_serve(url: &str, text: &'static str) -> Result<Vec<String>, BoxError> {
    let request = Request::post(url).body(Full::<Bytes>::from(text))?;
    let response = HttpClient::new()?.oneshot(request).await?;
    let answer: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    println!("POST /summarize {text:?}\n  answer    {answer}");
    let attempts = answer["attempts"].as_array().ok_or("an answer without attempts")?;
    Ok(attempts.iter().filter_map(|attempt| attempt["account"].as_str()).map(str::to_owned).collect())
}
