//! A server on hyper that speaks HTTP/1.1 and HTTP/2, and the clients and pools that the wire tests share.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use oauth_marathon::config::{Resend, Settings};
use oauth_marathon::pool::CredentialSnapshot;
use oauth_marathon::{Credential, Pool, TokenSet};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::raw::Log;

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// A server on loopback. It ends when it is dropped, and its connections with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Starts a server that answers each request with `handler`.
    pub(crate) async fn start<F, Fut>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let seen = log.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                seen.connected();
                let (handler, seen) = (handler.clone(), seen.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (head, body) = request.into_parts();
                        seen.asked(head.clone());
                        let answer = handler(Request::from_parts(head, body));
                        async move { Ok::<_, Infallible>(answer.await) }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, log, _tasks: tasks }
    }

    /// The origin of the server.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An answer with a body that is ready at once.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into()).boxed()).unwrap()
}

pub(crate) type HyperClient<B = Full<Bytes>> = Client<HttpConnector, B>;
pub(crate) type HyperFuture = ResponseFuture;

/// hyper-util's client over plain TCP.
pub(crate) fn client<B>(http2: bool) -> HyperClient<B>
where
    B: Body<Data: Send> + Send,
{
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http2_only(http2).build(tcp)
}

/// A pool for one origin. The ids of its credentials are their tokens.
pub(crate) fn pool(origin: &str, tokens: &[&str], resend: Resend) -> Pool {
    let mut settings = Settings::default();
    settings.resend = resend;
    settings.max_attempts = std::num::NonZeroU32::new(20);
    let credentials = tokens.iter().map(|token| Credential::new(*token, TokenSet::new(*token)));
    Pool::builder("test").origin(origin).settings(settings).credentials(credentials).build().unwrap()
}

/// The snapshot of one credential.
pub(crate) fn state_of(pool: &Pool, id: &str) -> CredentialSnapshot {
    pool.snapshot().credential(id).unwrap().clone()
}

/// A request with a small body.
pub(crate) fn post(origin: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{origin}/v1/chat")).body(Full::from("{\"model\":\"m\"}")).unwrap()
}

/// Reads an answer: its status and its whole body.
pub(crate) async fn read<B: Body>(response: Response<B>) -> Result<(StatusCode, Bytes), B::Error> {
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// Runs a test, and panics if it hangs. No test depends on how long it takes.
pub(crate) async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}

/// Bytes that differ from place to place, so that a lost or doubled part shows.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>().into()
}

/// `body` in chunks of at most `size` bytes, as HTTP/1.1 writes them, with the end.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in body.chunks(size) {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n\r\n");
    text
}
