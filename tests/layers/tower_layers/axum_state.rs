//! One stack in the state of an axum router, shared by its handlers.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use oauth_marathon::{BoxError, Error, ErrorKind, Marathon, MarathonLayer, Pool};
use oauth_marathon_test::{Probe, ProbeLayer, Reply, ScriptedProvider};
use tower::{Layer, ServiceExt};

use super::requests::{limited, pool, request};

type Client = Marathon<Probe<ScriptedProvider>>;

#[derive(Clone)]
struct App {
    client: Client,
    pool: Pool,
}

/// Passes the provider's answer on, its body as it streams.
async fn chat(State(app): State<App>) -> Result<Response, Failed> {
    Ok(app.client.oneshot(request()).await?.map(Body::new).into_response())
}

/// Reads the provider's answer first.
async fn summary(State(app): State<App>) -> Result<String, Failed> {
    let answer = app.client.oneshot(request()).await?;
    Ok(format!("{} bytes", answer.into_body().collect().await?.to_bytes().len()))
}

async fn active(State(app): State<App>) -> String {
    app.pool.snapshot().credentials[0].id.to_string()
}

struct Failed(BoxError);

impl From<BoxError> for Failed {
    fn from(error: BoxError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match Error::find(&*self.0).map(Error::kind) {
            Some(ErrorKind::NoCredential) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        (status, self.0.to_string()).into_response()
    }
}

fn router(pool: Pool, provider: &ScriptedProvider) -> Router {
    let client = MarathonLayer::new(pool.clone()).layer(ProbeLayer::new().layer(provider.clone()));
    Router::new()
        .route("/chat", post(chat))
        .route("/summary", get(summary))
        .route("/active", get(active))
        .with_state(App { client, pool })
}

async fn ask(router: &Router, method: &str, path: &str) -> (u16, Bytes) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test(start_paused = true)]
async fn what_one_handler_learns_of_an_account_holds_for_the_others() {
    let provider = ScriptedProvider::new().on("t-work", [limited()]).otherwise(Reply::ok().body("hello"));
    let router = router(pool(), &provider);
    assert_eq!(ask(&router, "GET", "/active").await, (200, Bytes::from("work")));
    assert_eq!(ask(&router, "POST", "/chat").await, (200, Bytes::from("hello")));
    assert_eq!(ask(&router, "GET", "/active").await, (200, Bytes::from("home")));
    assert_eq!(ask(&router, "GET", "/summary").await, (200, Bytes::from("5 bytes")));
    assert_eq!(provider.tokens(), ["t-work", "t-home", "t-home"]);
}

#[tokio::test(start_paused = true)]
async fn handlers_run_at_the_same_time_over_one_stack() {
    let provider = ScriptedProvider::new().otherwise(Reply::ok().after(std::time::Duration::from_secs(1)));
    let router = router(pool(), &provider);
    let begun = tokio::time::Instant::now();
    let asks = (0..8).map(|_| {
        let router = router.clone();
        tokio::spawn(async move { ask(&router, "POST", "/chat").await.0 })
    });
    for answer in asks.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 200);
    }
    // Paused time: eight requests took the time of one.
    assert_eq!(begun.elapsed(), std::time::Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_credentials_is_told_apart_from_a_provider_that_fails() {
    let empty = Pool::builder("openai").origin("https://api.example.com").build().unwrap();
    assert_eq!(ask(&router(empty, &ScriptedProvider::new()), "POST", "/chat").await.0, 503);
    let broken = ScriptedProvider::new().otherwise(Reply::connection_error());
    assert_eq!(ask(&router(pool(), &broken), "POST", "/chat").await.0, 502);
}

#[allow(dead_code)]
fn the_state_can_be_shared(client: &Client) {
    oauth_marathon::check_shared_service::<Full<Bytes>>(client);
}
