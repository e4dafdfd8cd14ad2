//! The stack without the facade: every layer by its name, in its place, with its reason.
//!
//! Two things `MarathonLayer` alone does not do: the request body is a stream, and the client follows redirects, once to
//! another server, which must not see the key.
//!
//! ```text
//! cargo run --example layers_by_hand
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Settings;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::{CredentialLayer, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::{BoxError, Credential, Pool, RequestContext, Secret};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let elsewhere = serve(Router::new().route("/file", get(file))).await?;
    let api = Router::new().route("/upload", post(upload)).route("/download", get(download));
    let origin = serve(api.with_state(format!("{elsewhere}/file"))).await?;

    let settings = Settings::default();
    let pool = Pool::builder("files")
        .origin(&origin)
        .credential(Credential::new("one", Secret::new("key-1")).header("x-api-key"))
        .credential(Credential::new("two", Secret::new("key-2")).header("x-api-key"))
        .settings(settings.clone())
        .build()?;

    let client = ServiceBuilder::new()
        // Outermost: opens the context that the others meet in, and notices a caller that goes away.
        .layer(NotifyLayer::with_notifiers(pool.notifiers().clone()))
        // Only because the body is a stream: keeps what was read of it, for another attempt.
        .layer(ReplayLayer::with_settings(&settings))
        // The only loop; all stacks over the pool share its budget of resends. Above the credentials, so that every attempt may have another one.
        .layer(RetryLayer::for_pool(&pool))
        // Leases a credential for one attempt, sends it along, and settles what came back.
        .layer(CredentialLayer::new(pool.clone()))
        // Says what an answer means; below the credentials, which need to know it.
        .layer(ClassifyLayer::new())
        // Follows redirects with all headers that the request has by now, the key included...
        .layer(FollowRedirectLayer::new())
        // ...so the last check of where a request goes is ours.
        .layer(OriginGuardLayer::new(pool))
        .service(HttpClient::new()?);

    let upload = Request::post(format!("{origin}/upload")).body(Parts::new(["forty", "-", "two"]))?;
    let context = RequestContext::new();
    let response = context.clone().scope(client.clone().oneshot(upload)).await?;
    let stored = response.into_body().collect().await?.to_bytes();
    println!("upload    {} attempts, the whole body arrived: {stored:?}", context.attempts().len());
    if context.attempts().len() != 2 || stored != "two stored forty-two" {
        return Err("the stream was to be sent again, from its start, with the second key".into());
    }

    let download = Request::get(format!("{origin}/download")).body(Parts::default())?;
    let response = client.oneshot(download).await?;
    let seen = response.into_body().collect().await?.to_bytes();
    println!("download  redirected to another server, which {}", String::from_utf8_lossy(&seen));
    if seen != "saw no key" {
        return Err("the key was to stay with the provider".into());
    }
    Ok(())
}

/// A body that can be read once, as an upload from a file or from another connection is. The redirect layer asks for a
/// default, which is the empty one.
#[derive(Default)]
struct Parts(std::vec::IntoIter<&'static str>);

impl Parts {
    fn new<const N: usize>(parts: [&'static str; N]) -> Self {
        Self(Vec::from(parts).into_iter())
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|part| Ok(Frame::data(Bytes::from(part)))))
    }
}

/// Takes the body in, and then finds the first key to be over its limit.
async fn upload(headers: HeaderMap, body: String) -> Response {
    match headers.get("x-api-key").and_then(|key| key.to_str().ok()) {
        Some("key-2") => format!("two stored {body}").into_response(),
        _ => (StatusCode::TOO_MANY_REQUESTS, "one is over its limit").into_response(),
    }
}

async fn download(State(file): State<String>) -> Redirect {
    Redirect::to(&file)
}

async fn file(headers: HeaderMap) -> &'static str {
    if headers.contains_key("x-api-key") { "saw the key" } else { "saw no key" }
}

async fn serve(app: Router) -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}
