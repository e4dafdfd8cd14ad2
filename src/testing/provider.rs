//! A provider in the same process that answers by script.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::header::AUTHORIZATION;
use http::{HeaderName, Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::reply::Reply;
use crate::error::BoxError;
use crate::secret::Secret;

/// A service that answers by script: each token has its own, and its n-th call gets the n-th reply. Clones share the
/// scripts and the record.
///
/// Once a script is over, and for a token without one, the [default](ScriptedProvider::otherwise) is said: an empty 200.
/// Each request is read to its end before anything is said, and recorded. A call on an instance that was not polled ready
/// panics, as it may with the services of a real stack; a clone starts out unready.
#[derive(Debug)]
pub struct ScriptedProvider {
    shared: Arc<Shared>,
    ready: bool,
}

#[derive(Debug)]
struct Shared {
    header: HeaderName,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scripts: HashMap<String, Script>,
    next: VecDeque<Reply>,
    otherwise: Option<Reply>,
    recorded: Vec<Recorded>,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
}

/// A request that came in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// The head, as it arrived.
    pub head: Request<()>,
    /// The body; `None` until it has been read to its end.
    pub body: Option<Bytes>,
    token: Option<Secret>,
}

impl Recorded {
    /// The token that it carried, without its scheme.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Secret::expose)
    }
}

impl ScriptedProvider {
    /// A provider that reads tokens from `authorization` and answers 200 to all.
    #[must_use]
    pub fn new() -> Self {
        Self::reading(AUTHORIZATION)
    }

    /// A provider that reads tokens from this header, such as `x-api-key`.
    #[must_use]
    pub fn reading(header: HeaderName) -> Self {
        Self { shared: Arc::new(Shared { header, state: Mutex::default() }), ready: false }
    }

    /// Adds replies to the script of the requests that carry this token.
    #[must_use]
    pub fn on(self, token: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.state().scripts.entry(token.to_owned()).or_default().replies.extend(replies);
        self
    }

    /// Adds a reply to what is said, in turn, where no token has a script: whichever token comes next gets it.
    #[must_use]
    pub fn then(self, reply: Reply) -> Self {
        self.state().next.push_back(reply);
        self
    }

    /// What is said where no script says anything.
    #[must_use]
    pub fn otherwise(self, reply: Reply) -> Self {
        self.state().otherwise = Some(reply);
        self
    }

    /// The requests so far, in the order of the calls.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().recorded.clone()
    }

    /// The token of each request so far; empty where one carried none.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.state().recorded.iter().map(|request| request.token().unwrap_or_default().to_owned()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ScriptedProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for ScriptedProvider {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), ready: false }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replies", self.replies.len())
    }
}

impl<B> Service<Request<B>> for ScriptedProvider
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = ReplyFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    #[allow(clippy::panic, reason = "a call without readiness is a bug that a test is to show")]
    fn call(&mut self, request: Request<B>) -> ReplyFuture<B> {
        if !std::mem::take(&mut self.ready) {
            panic!("the service was called without having been polled ready");
        }
        let (parts, body) = request.into_parts();
        let carried = parts.headers.get(&self.shared.header).and_then(|value| value.to_str().ok());
        let token = carried.map(|value| value.rsplit(' ').next().unwrap_or_default().to_owned());
        let mut state = self.state();
        let scripted =
            token.as_ref().and_then(|token| state.scripts.get_mut(token)).and_then(|script| script.replies.pop_front());
        let reply = scripted.or_else(|| state.next.pop_front()).or_else(|| state.otherwise.clone());
        let reply = reply.unwrap_or_else(Reply::ok);
        let place = state.recorded.len();
        let head = Request::from_parts(parts, ());
        state.recorded.push(Recorded { head, body: None, token: token.map(Secret::from) });
        drop(state);
        ReplyFuture { body, read: BytesMut::new(), place: Some(place), shared: self.shared.clone(), reply, delay: None }
    }
}

pin_project! {
    /// The future of [`ScriptedProvider`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ReplyFuture<B> {
        #[pin]
        body: B,
        read: BytesMut,
        // Where to record the body, until that is done.
        place: Option<usize>,
        shared: Arc<Shared>,
        reply: Reply,
        delay: Option<Pin<Box<Sleep>>>,
    }
}

impl<B> Future for ReplyFuture<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<Response<Full<Bytes>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while let Some(place) = *this.place {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        let length = data.remaining();
                        this.read.extend_from_slice(&data.copy_to_bytes(length));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    if let Some(recorded) = this.shared.state().recorded.get_mut(place) {
                        recorded.body = Some(this.read.split().freeze());
                    }
                    *this.place = None;
                    *this.delay = this.reply.delay().map(|time| Box::pin(tokio::time::sleep(time)));
                }
            }
        }
        if let Some(delay) = this.delay {
            ready!(delay.as_mut().poll(cx));
        }
        this.reply.say().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<B> fmt::Debug for ReplyFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyFuture").field("reply", &self.reply).finish_non_exhaustive()
    }
}
