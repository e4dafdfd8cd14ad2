//! A server whose every byte is scripted.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the server has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    connections: AtomicUsize,
    heads: Mutex<Vec<Parts>>,
}

impl Log {
    pub(crate) fn connected(&self) -> usize {
        self.connections.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn asked(&self, head: Parts) -> usize {
        let mut heads = self.heads.lock().unwrap();
        heads.push(head);
        heads.len()
    }

    /// How many TCP connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests, in the order of their arrival.
    pub(crate) fn heads(&self) -> Vec<Parts> {
        self.heads.lock().unwrap().clone()
    }

    /// The bearer tokens of the requests.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.heads().iter().map(|head| bearer(&head.headers)).collect()
    }
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> String {
    let value = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.trim_start_matches("Bearer ").to_owned()
}

/// A server on loopback. It ends when it is dropped, and its connections with it.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    _tasks: JoinSet<()>,
}

impl RawServer {
    /// Runs `script` for each connection, with its number, from 1.
    pub(crate) async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(usize, Peer) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
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
                let number = seen.connected();
                connections.spawn(script(number, Peer { stream, read: BytesMut::new(), log: seen.clone() }));
            }
        });
        Self { address, log, _tasks: tasks }
    }

    /// The origin of the server.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An address on which no server listens.
pub(crate) async fn dead_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The client at the other end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) read: BytesMut,
    log: Arc<Log>,
}

impl Peer {
    /// Reads a whole request; `None` once the client sends no more requests.
    pub(crate) async fn request(&mut self) -> Option<Request<Bytes>> {
        let head = self.head().await?;
        let body = self.body(&head.headers).await?;
        Some(Request::from_parts(head, body))
    }

    /// Reads the head of a request and leaves its body.
    pub(crate) async fn head(&mut self) -> Option<Parts> {
        let text = String::from_utf8(self.until(b"\r\n\r\n").await?.to_vec()).unwrap();
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let mut start = lines.next()?.split(' ');
        let mut request = Request::builder().method(start.next()?).uri(start.next()?).body(()).unwrap();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let head = request.into_parts().0;
        self.log.asked(head.clone());
        Some(head)
    }

    /// Reads the body that `headers` announce; `None` if the client breaks off.
    pub(crate) async fn body(&mut self, headers: &HeaderMap) -> Option<Bytes> {
        if let Some(length) = headers.get(CONTENT_LENGTH) {
            return self.exactly(length.to_str().unwrap().parse().unwrap()).await;
        }
        let mut body = BytesMut::new();
        while headers.contains_key(TRANSFER_ENCODING) {
            let size = self.until(b"\r\n").await?;
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            body.extend_from_slice(&self.exactly(size).await?);
            self.until(b"\r\n").await?;
            if size == 0 {
                break;
            }
        }
        Some(body.freeze())
    }

    /// Reads the next `count` bytes.
    pub(crate) async fn exactly(&mut self, count: usize) -> Option<Bytes> {
        self.arrived(count).await?;
        Some(self.read.split_to(count).freeze())
    }

    /// Waits until `count` bytes have arrived, and leaves them unread.
    pub(crate) async fn arrived(&mut self, count: usize) -> Option<()> {
        while self.read.len() < count {
            self.more().await?;
        }
        Some(())
    }

    /// Reads all bytes up to `end`, and `end` itself.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Bytes> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Some(self.read.split_to(at + end.len()).freeze());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(1..)).then_some(())
    }

    /// Sends these bytes in one write. A client that is gone is no error: tests look at the client's side.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads and drops bytes until the client closes its side.
    pub(crate) async fn gone(&mut self) {
        while self.more().await.is_some() {
            let read = self.read.len();
            self.read.advance(read);
        }
    }

    /// Breaks the connection with a reset instead of a proper end.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
