//! A provider and its token endpoint on one port of this machine. It follows a script and notes what it sees.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The reply to one request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    how: How,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Answers(u16),
    /// The connection is closed without an answer.
    Closes,
    Hangs,
    /// An answer whose body ends too early.
    BreaksOff,
}

/// The replies for each token.
pub(crate) type Script = Vec<(&'static str, Vec<Reply>)>;

pub(crate) fn status(code: u16) -> Reply {
    Reply { how: How::Answers(code), headers: Vec::new(), body: String::new() }
}

/// 429 with `Retry-After`.
pub(crate) fn limited(after: &'static str) -> Reply {
    status(429).with("retry-after", after).body("slow down")
}

pub(crate) fn ok() -> Reply {
    status(200).body("served")
}

pub(crate) fn closes() -> Reply {
    Reply { how: How::Closes, ..status(0) }
}

pub(crate) fn hangs() -> Reply {
    Reply { how: How::Hangs, ..status(0) }
}

pub(crate) fn breaks_off() -> Reply {
    Reply { how: How::BreaksOff, ..status(200) }
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) token: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
struct Book {
    provider: HashMap<&'static str, VecDeque<Reply>>,
    endpoint: HashMap<&'static str, VecDeque<Reply>>,
    seen: Vec<Seen>,
    token_requests: usize,
}

/// A provider on loopback. It ends when it is dropped.
pub(crate) struct Provider {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    arrived: watch::Sender<usize>,
    /// A bound socket that does not listen: no other program gets its port.
    closed: TcpSocket,
    _tasks: JoinSet<()>,
}

impl Provider {
    pub(crate) async fn start(provider: Script, endpoint: Script) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let closed = TcpSocket::new_v4()?;
        closed.bind(([127, 0, 0, 1], 0).into())?;
        let by_token = |script: Script| script.into_iter().map(|(token, replies)| (token, replies.into())).collect();
        let (provider, endpoint) = (by_token(provider), by_token(endpoint));
        let book = Arc::new(Mutex::new(Book { provider, endpoint, ..Book::default() }));
        let arrived = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        let (shared, arrivals) = (book.clone(), arrived.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (book, arrivals) = (shared.clone(), arrivals.clone());
                let service = service_fn(move |request| answer(book.clone(), arrivals.clone(), request));
                let server = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move { drop(server.serve_connection(TokioIo::new(stream), service).await) });
            }
        });
        Ok(Self { address, book, arrived, closed, _tasks: tasks })
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An origin where every connection is refused.
    pub(crate) fn closed_origin(&self) -> String {
        format!("http://{}", self.closed.local_addr().expect("bound"))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.book).seen.clone()
    }

    pub(crate) fn token_requests(&self) -> usize {
        lock(&self.book).token_requests
    }

    /// Waits until more than `count` requests have arrived.
    pub(crate) async fn more_than(&self, count: usize) {
        // The sender is ours.
        let _ = self.arrived.subscribe().wait_for(|arrived| *arrived > count).await;
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().expect("no panic while it was held")
}

async fn answer(
    book: Arc<Mutex<Book>>,
    arrived: watch::Sender<usize>,
    request: Request<Incoming>,
) -> io::Result<Response<Chunks>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let reply = if head.uri.path() == "/token" {
        let mut book = lock(&book);
        book.token_requests += 1;
        let fields: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
        let refresh = fields.get("refresh_token").map_or("", String::as_str);
        next(&mut book.endpoint, refresh).unwrap_or_else(|| grant(refresh))
    } else {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = [header("authorization"), header("x-api-key")].concat();
        let token = token.rsplit(' ').next().unwrap_or_default().to_owned();
        let (method, path) = (head.method.to_string(), head.uri.to_string());
        let mut book = lock(&book);
        let reply = next(&mut book.provider, &token);
        let reply = reply.unwrap_or_else(|| status(200).body(format!("hello from {}", token.trim_end_matches('+'))));
        book.seen.push(Seen { token, method, path, headers: head.headers, body });
        arrived.send_replace(book.seen.len());
        reply
    };
    let chunks = match reply.how {
        How::Closes => return Err(io::ErrorKind::ConnectionReset.into()),
        How::Hangs => std::future::pending().await,
        How::BreaksOff => Chunks::new(["half of ", ""]).and_then_fails(),
        How::Answers(_) => Chunks::whole(reply.body),
    };
    let code = if let How::Answers(code) = reply.how { code } else { 200 };
    let response =
        reply.headers.iter().fold(Response::builder().status(code), |it, (name, value)| it.header(*name, *value));
    response.body(chunks).map_err(io::Error::other)
}

/// The next reply for a token; the last is repeated.
fn next(script: &mut HashMap<&'static str, VecDeque<Reply>>, token: &str) -> Option<Reply> {
    let replies = script.get_mut(token)?;
    if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
}

fn grant(refresh: &str) -> Reply {
    let access = refresh.trim_start_matches("refresh-");
    let granted = serde_json::json!({ "access_token": format!("{access}+"), "refresh_token": format!("{refresh}+") });
    status(200).with("content-type", "application/json").body(granted.to_string())
}

/// A body in chunks, each of which is ready at the second poll; or a whole one.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: VecDeque<Bytes>,
    is_whole: bool,
    fails: bool,
    cooled_down: bool,
}

impl Chunks {
    pub(crate) fn new<const N: usize>(chunks: [impl Into<String>; N]) -> Self {
        let chunks = chunks.into_iter().map(|chunk| Bytes::from(chunk.into()));
        Self { chunks: chunks.filter(|chunk| !chunk.is_empty()).collect(), ..Self::default() }
    }

    fn whole(body: String) -> Self {
        Self { is_whole: true, ..Self::new([body]) }
    }

    fn and_then_fails(self) -> Self {
        Self { fails: true, ..self }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.is_whole && !std::mem::replace(&mut self.cooled_down, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.cooled_down = false;
        match self.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if self.fails => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && !self.fails
    }

    fn size_hint(&self) -> SizeHint {
        if !self.is_whole {
            return SizeHint::new();
        }
        SizeHint::with_exact(self.chunks.iter().map(|chunk| chunk.len() as u64).sum())
    }
}
