//! A provider on a free port of this machine, and what the reqwest tests share.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oauth_marathon::config::Settings;
use oauth_marathon::pool::CredentialSnapshot;
use oauth_marathon::{Credential, Pool, RequestContext, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) type Answer = Response<Full<Bytes>>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The token that it carried.
    pub(crate) fn token(&self) -> &str {
        self.header("authorization").trim_start_matches("Bearer ")
    }
}

/// A server on loopback. It ends when it is dropped.
pub(crate) struct Loopback {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: JoinSet<()>,
}

impl Loopback {
    /// Starts a server that reads each request's body, and then answers with `answer`.
    pub(crate) async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let log = seen.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, log) = (answer.clone(), log.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, log) = (answer.clone(), log.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        // Recorded before the body is read, because a request that breaks off counts too.
                        let place = note(&log, head);
                        let body = body.collect().await?.to_bytes();
                        let seen = complete(&log, place, body);
                        Ok::<_, hyper::Error>(answer(seen).await)
                    }
                });
                let server = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move { drop(server.serve_connection(TokioIo::new(stream), service).await) });
            }
        });
        Self { address, seen, _task: task }
    }

    /// Starts a server that answers listed tokens with their status, and others with 200 and `token says body`.
    pub(crate) async fn refusing(refusals: &'static [(&'static str, u16)]) -> Self {
        Self::start(move |seen| async move {
            match refusals.iter().find(|refusal| refusal.0 == seen.token()) {
                Some((token, code)) => status(*code, format!("{token} is refused")),
                None => status(200, format!("{} says {}", seen.token(), String::from_utf8_lossy(&seen.body))),
            }
        })
        .await
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The tokens of all requests, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.token().to_owned()).collect()
    }

    /// A pool for this origin with these credentials, whose tokens are their ids.
    pub(crate) fn pool(&self, ids: &[&str]) -> Pool {
        self.pool_with(ids, Settings::default())
    }

    pub(crate) fn pool_with(&self, ids: &[&str], settings: Settings) -> Pool {
        let credentials = ids.iter().map(|id| Credential::new(*id, Secret::new(*id)));
        Pool::builder("test").origin(self.origin()).credentials(credentials).settings(settings).build().unwrap()
    }
}

fn note(log: &Mutex<Vec<Seen>>, head: http::request::Parts) -> usize {
    let mut log = log.lock().unwrap();
    let path = head.uri.to_string();
    log.push(Seen { method: head.method, path, headers: head.headers, body: Bytes::new() });
    log.len() - 1
}

fn complete(log: &Mutex<Vec<Seen>>, place: usize, body: Bytes) -> Seen {
    let mut log = log.lock().unwrap();
    log[place].body = body;
    log[place].clone()
}

pub(crate) fn status(code: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(code).body(Full::new(body.into())).unwrap()
}

pub(crate) fn redirect(code: u16, to: &str) -> Answer {
    Response::builder().status(code).header("location", to).body(Full::default()).unwrap()
}

/// Waits for longer than any test takes.
pub(crate) async fn for_ever() -> Answer {
    tokio::time::sleep(Duration::from_secs(600)).await;
    status(StatusCode::GATEWAY_TIMEOUT.as_u16(), "")
}

/// Settings with no network retry on the same credential.
pub(crate) fn without_network_retries() -> Settings {
    let mut settings = Settings::default();
    settings.network_retry_attempts = 0;
    settings
}

/// The credential of each attempt, with its verdict.
pub(crate) fn log(context: &RequestContext) -> Vec<String> {
    let attempts = context.attempts().into_iter();
    attempts
        .map(|attempt| {
            let credential = attempt.credential.map_or("-".to_owned(), |id| id.to_string());
            format!("{credential}: {}", attempt.verdict.map_or("open".to_owned(), |verdict| verdict.to_string()))
        })
        .collect()
}

pub(crate) fn credential(pool: &Pool, id: &str) -> CredentialSnapshot {
    pool.snapshot().credential(id).unwrap().clone()
}

/// A body in chunks, with an unknown length; an error at its end breaks it off.
pub(crate) fn chunks(
    chunks: impl IntoIterator<Item = Result<&'static str, std::io::Error>>,
) -> impl Body<Data = Bytes, Error = std::io::Error> + Send + Sync + 'static {
    let chunks = chunks.into_iter().map(|chunk| chunk.map(|text| Frame::data(Bytes::from(text))));
    Chunks(chunks.collect::<Vec<_>>().into_iter())
}

struct Chunks(std::vec::IntoIter<Result<Frame<Bytes>, std::io::Error>>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.next())
    }
}

/// A server that, once a request has come on a connection, always writes the same bytes and closes it.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn writing(text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let count = requests.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if stream.read(&mut [0; 8192]).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, SeqCst);
                    let _ = stream.write_all(text.as_bytes()).await;
                }
            }
        });
        Self { address, requests, _task: task }
    }

    pub(crate) fn pool(&self) -> Pool {
        let builder = Pool::builder("test").origin(format!("http://{}", self.address));
        builder.credential(Credential::new("work", Secret::new("t"))).build().unwrap()
    }
}

/// An address on which no server listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
