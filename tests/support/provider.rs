//! A provider inside the test: it answers by script, and remembers what it was sent.
//!
//! ```text
//! let provider = Provider::new()
//!     .on("a", [status(429).header("retry-after", "5"), ok()])
//!     .on("b", [broken(ErrorKind::ConnectionReset)])
//!     .on("/always-slow", [ok().after(Duration::from_secs(20))]);
//! ```
//! A script belongs to a token, or to a path, which goes before. Its last line is repeated for ever; whoever has no script
//! is answered with 200. As every tower service may, it panics if it is called without having been ready.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::collections::HashMap;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::BoxError;
use tokio::time::Instant;
use tower::Service;

/// One line of a script.
#[derive(Clone)]
pub struct Reply {
    after: Duration,
    what: What,
}

#[derive(Clone)]
enum What {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    Broken(ErrorKind),
    Never,
}

/// An answer with this status.
pub fn status(status: u16) -> Reply {
    Reply::now(What::Answer { status, headers: Vec::new(), body: format!("status {status}") })
}

pub fn ok() -> Reply {
    status(200)
}

/// An error in place of an answer.
pub fn broken(kind: ErrorKind) -> Reply {
    Reply::now(What::Broken(kind))
}

/// No answer, ever.
pub fn never() -> Reply {
    Reply::now(What::Never)
}

impl Reply {
    fn now(what: What) -> Self {
        Self { after: Duration::ZERO, what }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let What::Answer { headers, .. } = &mut self.what else { panic!("only an answer has headers") };
        headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, text: impl Into<String>) -> Self {
        let What::Answer { body, .. } = &mut self.what else { panic!("only an answer has a body") };
        *body = text.into();
        self
    }

    /// The same, that much later.
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    async fn give(self) -> io::Result<Response<Full<Bytes>>> {
        if !self.after.is_zero() {
            tokio::time::sleep(self.after).await;
        }
        match self.what {
            What::Never => pending().await,
            What::Broken(kind) => Err(kind.into()),
            What::Answer { status, headers, body } => {
                let answer = Response::builder().status(status);
                let answer = headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
                Ok(answer.body(Full::from(body)).expect("a well-formed script"))
            }
        }
    }
}

/// A request as it arrived.
#[derive(Clone)]
pub struct Seen {
    /// What came in `authorization` after `Bearer`, or else in `x-api-key`.
    pub token: String,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
}

#[derive(Default)]
struct Book {
    scripts: HashMap<String, Vec<Reply>>,
    seen: Vec<Seen>,
}

#[derive(Default)]
pub struct Provider {
    book: Arc<Mutex<Book>>,
    ready: bool,
}

/// A clone shares the scripts and the memory, and has to be polled ready itself.
impl Clone for Provider {
    fn clone(&self) -> Self {
        Self { book: self.book.clone(), ready: false }
    }
}

impl Provider {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn on(self, token_or_path: &str, script: impl IntoIterator<Item = Reply>) -> Self {
        self.script(token_or_path, script);
        self
    }

    /// Replaces a script while the test runs.
    pub fn script(&self, token_or_path: &str, script: impl IntoIterator<Item = Reply>) {
        // Kept back to front, so that the next line is at the end.
        let script: Vec<_> = script.into_iter().collect();
        self.book().scripts.insert(token_or_path.to_owned(), script.into_iter().rev().collect());
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.book().seen.clone()
    }

    /// The token of each request so far.
    pub fn tokens(&self) -> Vec<String> {
        self.book().seen.iter().map(|seen| seen.token.clone()).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic while it was held")
    }

    /// Writes a request down; says where, and how to answer.
    fn note(&self, head: http::request::Parts) -> (usize, Reply) {
        let text = |name: &str| head.headers.get(name).map(|value| value.to_str().expect("printable").to_owned());
        let bearer = text("authorization").map(|value| value.trim_start_matches("Bearer ").to_owned());
        let token = bearer.or_else(|| text("x-api-key")).unwrap_or_default();
        let mut book = self.book();
        let key = [head.uri.path(), &token].into_iter().find(|key| book.scripts.contains_key(*key)).map(str::to_owned);
        let reply = match key.and_then(|key| book.scripts.get_mut(&key)) {
            Some(script) if script.len() > 1 => script.pop(),
            Some(script) => script.last().cloned(),
            None => None,
        };
        let (method, uri, headers) = (head.method, head.uri, head.headers);
        book.seen.push(Seen { token, method, uri, headers, body: Bytes::new(), at: Instant::now() });
        (book.seen.len() - 1, reply.unwrap_or_else(ok))
    }
}

impl<B> Service<Request<B>> for Provider
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        let (head, body) = request.into_parts();
        let (number, reply) = self.note(head);
        let provider = self.clone();
        Box::pin(async move {
            let body = body.collect().await.map_err(|error| io::Error::other(error.into()))?;
            provider.book().seen[number].body = body.to_bytes();
            reply.give().await
        })
    }
}
