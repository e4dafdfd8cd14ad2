//! An inner service that checks on those who call it, and does what a test tells it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::BoxError;
use tower_service::Service;

pub(crate) type Reply<B> = Result<Response<B>, BoxError>;
type BoxReply<B> = Pin<Box<dyn Future<Output = Reply<B>> + Send>>;
type Script<B> = dyn Fn(Request<()>) -> BoxReply<B> + Send + Sync;

/// Panics when it is called without having been polled ready, or used after its readiness failed. A clone is not ready.
pub(crate) struct Probe<B = Full<Bytes>> {
    script: Arc<Script<B>>,
    counts: Arc<Counts>,
    slowness: usize,
    breaks_at: usize,
    stalls_at: usize,
    polls: usize,
    ready: bool,
    failed: bool,
}

/// In flight, completed, cancelled.
type Counts = [AtomicUsize; 3];

impl<B> Probe<B> {
    /// Answers each request as the future says that `script` makes of it. A future that never ends is a request that
    /// never is answered.
    pub(crate) fn new<F, Fut>(script: F) -> Self
    where
        F: Fn(Request<()>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Reply<B>> + Send + 'static,
    {
        Self {
            script: Arc::new(move |request| Box::pin(script(request))),
            counts: Arc::default(),
            slowness: 0,
            breaks_at: usize::MAX,
            stalls_at: usize::MAX,
            polls: 0,
            ready: false,
            failed: false,
        }
    }

    /// Is ready after this many polls in vain, before each call anew.
    pub(crate) fn slow(mut self, polls: usize) -> Self {
        self.slowness = polls;
        self
    }

    /// Fails to become ready after this many calls.
    pub(crate) fn breaks_after(mut self, calls: usize) -> Self {
        self.breaks_at = calls;
        self
    }

    /// Is never ready after this many calls.
    pub(crate) fn stalls_after(mut self, calls: usize) -> Self {
        self.stalls_at = calls;
        self
    }

    pub(crate) fn calls(&self) -> usize {
        self.completed() + self.cancelled() + self.in_flight()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.counts[0].load(SeqCst)
    }

    pub(crate) fn completed(&self) -> usize {
        self.counts[1].load(SeqCst)
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.counts[2].load(SeqCst)
    }
}

impl<B> Clone for Probe<B> {
    fn clone(&self) -> Self {
        let (script, counts) = (self.script.clone(), self.counts.clone());
        Self { script, counts, polls: 0, ready: false, failed: false, ..*self }
    }
}

impl<B, RB> Service<Request<B>> for Probe<RB> {
    type Response = Response<RB>;
    type Error = BoxError;
    type Future = InFlight<RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert!(!self.failed, "polled after its readiness had failed");
        self.failed = self.calls() >= self.breaks_at;
        if self.failed {
            return Poll::Ready(Err("the service is broken".into()));
        }
        self.polls += 1;
        self.ready = self.polls > self.slowness && self.calls() < self.stalls_at;
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        if self.calls() < self.stalls_at {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.polls = 0;
        self.counts[0].fetch_add(1, SeqCst);
        InFlight { reply: (self.script)(request.map(drop)), counts: self.counts.clone(), done: false }
    }
}

/// The answer to one call; counts how it ends.
pub(crate) struct InFlight<B> {
    reply: BoxReply<B>,
    counts: Arc<Counts>,
    done: bool,
}

impl<B> Future for InFlight<B> {
    type Output = Reply<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = self.reply.as_mut().poll(cx);
        self.done |= reply.is_ready();
        reply
    }
}

impl<B> Drop for InFlight<B> {
    fn drop(&mut self) {
        self.counts[0].fetch_sub(1, SeqCst);
        self.counts[if self.done { 1 } else { 2 }].fetch_add(1, SeqCst);
    }
}
