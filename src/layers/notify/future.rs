//! The future of a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::guard::CancelGuard;
use crate::context::Scoped;

pin_project! {
    /// The future of [`Notify`](super::Notify).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Scoped<F>,
        // Dropped after the inner future, which may still note something in the context.
        guard: CancelGuard,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: Scoped<F>, guard: CancelGuard) -> Self {
        Self { inner, guard }
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The answer is passed on as a whole, because moving its parts would cost more.
        let polled = this.inner.poll(cx);
        if polled.is_ready() {
            this.guard.disarm();
        }
        polled
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
