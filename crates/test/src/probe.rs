//! A layer that watches how the service under it is used.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Puts a [`Probe`] over a service, and shows its counts.
///
/// ```
/// use oauth_marathon_test::{ProbeLayer, Reply, ScriptedProvider};
/// use tower::{Layer, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let probe = ProbeLayer::new();
/// let client = probe.layer(ScriptedProvider::new().otherwise(Reply::pending()));
/// let mut call = Box::pin(client.oneshot(http::Request::new(http_body_util::Empty::<bytes::Bytes>::new())));
/// tokio::select! { biased; _ = &mut call => unreachable!(), () = std::future::ready(()) => {} }
/// assert_eq!(probe.counts().in_flight, 1);
/// drop(call);
/// assert_eq!((probe.counts().in_flight, probe.counts().cancelled), (0, 1));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProbeLayer(Arc<Counters>);

/// Counters of calls, from their beginning to their end.
#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicUsize,
    in_flight: AtomicUsize,
    most: AtomicUsize,
    completed: AtomicUsize,
    cancelled: AtomicUsize,
}

/// The counts of a [`ProbeLayer`] or a [`ScriptedProvider`](super::ScriptedProvider).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProbeCounts {
    /// Calls that began.
    pub calls: usize,
    /// Calls that are under way.
    pub in_flight: usize,
    /// The most calls that were under way at once.
    pub most_in_flight: usize,
    /// Calls that ended with a result.
    pub completed: usize,
    /// Calls that were dropped before they had a result.
    pub cancelled: usize,
}

impl ProbeLayer {
    /// A layer with counters at zero. All its probes count into them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> ProbeCounts {
        self.0.counts()
    }
}

impl<S> Layer<S> for ProbeLayer {
    type Service = Probe<S>;

    fn layer(&self, inner: S) -> Probe<S> {
        Probe { inner, counters: self.0.clone(), ready: false }
    }
}

/// The service of [`ProbeLayer`]. It panics if it is called without having been polled ready; a clone is never ready.
#[derive(Debug)]
pub struct Probe<S> {
    inner: S,
    counters: Arc<Counters>,
    ready: bool,
}

impl<S: Clone> Clone for Probe<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), counters: self.counters.clone(), ready: false }
    }
}

impl<S, R> Service<R> for Probe<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ProbeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let polled = self.inner.poll_ready(cx);
        self.ready = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    #[allow(clippy::panic, reason = "a call without readiness is a bug that a test is to show")]
    fn call(&mut self, request: R) -> Self::Future {
        if !std::mem::take(&mut self.ready) {
            panic!("the service was called without having been polled ready");
        }
        let guard = Counters::begin(&self.counters);
        ProbeFuture { inner: self.inner.call(request), guard }
    }
}

impl Counters {
    pub(super) fn begin(counters: &Arc<Self>) -> Guard {
        counters.calls.fetch_add(1, Relaxed);
        let now = counters.in_flight.fetch_add(1, Relaxed) + 1;
        counters.most.fetch_max(now, Relaxed);
        Guard { counters: counters.clone(), completed: false }
    }

    pub(super) fn counts(&self) -> ProbeCounts {
        ProbeCounts {
            calls: self.calls.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            most_in_flight: self.most.load(Relaxed),
            completed: self.completed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
        }
    }
}

/// Ends a call in the counters, in whatever way it ends.
#[derive(Debug)]
pub(super) struct Guard {
    counters: Arc<Counters>,
    completed: bool,
}

impl Guard {
    /// Counts the call as completed.
    pub(super) fn complete(&mut self) {
        self.completed = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.counters.in_flight.fetch_sub(1, Relaxed);
        let ended = if self.completed { &self.counters.completed } else { &self.counters.cancelled };
        ended.fetch_add(1, Relaxed);
    }
}

pin_project! {
    /// The future of [`Probe`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ProbeFuture<F> {
        #[pin]
        inner: F,
        guard: Guard,
    }
}

impl<F: Future> Future for ProbeFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.inner.poll(cx);
        if polled.is_ready() {
            this.guard.complete();
        }
        polled
    }
}

impl<F> fmt::Debug for ProbeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProbeFuture")
    }
}
