//! A web backend that passes a provider's events on as they come, and shuts down without losing anything.
//!
//! Its accounts live in a file. When it is told to stop, the open streams run to their end, and then the pool stores what
//! it has learnt: the next start goes on with it.
//!
//! ```text
//! cargo run --example axum_streaming
//! ```

mod support;

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::FileStore;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, Marathon, MarathonLayer, Pool};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Duration, timeout};
use tower::{ServiceBuilder, ServiceExt};

use self::support::{Provider, Trouble};

/// The accounts of a file. They get there by a login, as in the example `login` or with the command `marathon`.
async fn open(origin: &str, file: &Path) -> Result<Pool, BoxError> {
    let http = HttpClient::<Full<Bytes>>::new()?;
    let pool = Pool::builder("provider")
        .origin(origin)
        .token_source(OAuth2::new(format!("{origin}/oauth/token"), "my-client-id", http))
        .store(FileStore::open(file).await?)
        .open()
        .await?;
    Ok(pool)
}

/// Serves until `stop` is ready, which could be `tokio::signal::ctrl_c`.
async fn serve(
    listener: TcpListener,
    pool: Pool,
    origin: String,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BoxError> {
    let provider = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(HttpClient::new()?);
    let backend = Backend { provider, url: format!("{origin}/v1/stream") };
    let routes = Router::new().route("/ask", post(ask)).with_state(backend);
    // First the server: it takes no new requests, and its open streams end.
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop).await;
    // Then the pool: refreshes end, and new tokens, cooldowns and the order of the accounts are in the file.
    pool.shutdown().await;
    Ok(served?)
}

/// What the handlers share. Clones share the pool and its connections.
#[derive(Clone)]
struct Backend {
    provider: Marathon<HttpClient<Full<Bytes>>>,
    url: String,
}

/// Answers with the provider's body and media type. Its other header fields may be about our accounts, so they stay here.
async fn ask(State(backend): State<Backend>, prompt: String) -> Result<Response, StatusCode> {
    let request = Request::post(backend.url).body(Full::from(prompt)).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let answer = backend.provider.oneshot(request).await.map_err(|error| {
        eprintln!("no answer: {error}");
        StatusCode::BAD_GATEWAY
    })?;
    let (head, body) = answer.into_parts();
    match head.headers.get(CONTENT_TYPE) {
        Some(media_type) if head.status.is_success() => {
            Ok(([(CONTENT_TYPE, media_type.clone())], Body::new(body)).into_response())
        }
        _ => Err(StatusCode::BAD_GATEWAY),
    }
}

/// The check: three accounts are in trouble, a stream comes through in spite of it, and the backend is stopped in its middle.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("backend").join("accounts.json");
    let mut provider = Provider::start(["work", "home", "spare"]).await?;
    let pool = open(&provider.origin, &file).await?;
    for account in ["work", "home", "spare"] {
        pool.add(Credential::new(account, provider.login(account)))?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/ask", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut backend = tokio::spawn(serve(listener, pool, provider.origin.clone(), async { drop(stopped.await) }));

    provider.trouble("work", Trouble::Limited(600));
    provider.trouble("home", Trouble::LimitedInStream);
    provider.trouble("spare", Trouble::Expired);
    provider.send_words(1);
    let mut events = Events::of(&url, "three small words").await?;
    assert_eq!(events.next().await?, "data: three\n\n");
    assert_eq!(
        provider.seen(),
        [
            "work: 429, retry-after: 600",
            "home: 200, an error as the first event",
            "spare: 401",
            "spare: 200, a new token",
            "spare: 200, an event stream",
        ]
    );

    println!("the backend is told to stop");
    stop.send(()).map_err(|()| "the backend is gone")?;
    assert!(timeout(Duration::from_millis(300), &mut backend).await.is_err(), "it is to wait for the stream");
    // The provider has sent no further word yet: each one comes through by itself, and the stream comes to its end.
    for event in ["data: small\n\n", "data: words\n\n", ""] {
        provider.send_words(1);
        assert_eq!(events.next().await?, event);
    }
    drop(events);
    timeout(PATIENCE, backend).await???;

    // The next start: the refreshed token and both cooldowns are there.
    let accounts = open(&provider.origin, &file).await?.snapshot().credentials;
    let known = accounts.iter().map(|account| {
        let cools = matches!(account.standing, Standing::Cooling { .. });
        println!("in the file: {}, generation {}, {:?}", account.id, account.generation, account.standing);
        (account.id.as_str(), account.generation.to_string(), cools)
    });
    let expected = [("spare", "2", false), ("home", "1", true), ("work", "1", true)];
    assert!(known.eq(expected.map(|(id, generation, cools)| (id, generation.to_owned(), cools))));
    Ok(())
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A caller of the backend, which reads event by event.
struct Events(http::Response<oauth_marathon::clients::ResponseBody>);

impl Events {
    async fn of(url: &str, prompt: &'static str) -> Result<Self, BoxError> {
        let request = Request::post(url).body(Full::<Bytes>::from(prompt))?;
        Ok(Self(timeout(PATIENCE, HttpClient::new()?.oneshot(request)).await??))
    }

    /// The next event, or nothing at the end.
    async fn next(&mut self) -> Result<String, BoxError> {
        let frame = timeout(PATIENCE, self.0.body_mut().frame()).await?.transpose()?;
        let event = frame.and_then(|frame| frame.into_data().ok()).unwrap_or_default();
        println!("the caller gets {event:?}");
        Ok(String::from_utf8_lossy(&event).into_owned())
    }
}
