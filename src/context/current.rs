//! The context of the running task: a slot of the thread, filled while the task's future runs and emptied after.
//!
//! The slot is entered with a guard and not with a closure, because a closure would move every future and answer through
//! itself.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::RequestContext;
use crate::sync::thread_local;

thread_local! {
    static CURRENT: Cell<Option<RequestContext>> = const { Cell::new(None) };
}

/// The current context. A thread that is ending has none.
#[inline]
pub(super) fn current() -> Option<RequestContext> {
    CURRENT
        .try_with(|current| {
            let context = current.take();
            let found = context.clone();
            current.set(context);
            found
        })
        .ok()
        .flatten()
}

/// Makes the context in `place` the current one, until the guard is dropped.
#[inline]
pub(crate) fn enter(place: &mut Option<RequestContext>) -> Entered<'_> {
    swap(place);
    Entered { place }
}

/// While the guard lives its context is current; dropping it restores the previous one.
#[must_use = "the context is current while the guard lives"]
pub(crate) struct Entered<'a> {
    place: &'a mut Option<RequestContext>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap(self.place);
    }
}

#[inline]
fn swap(place: &mut Option<RequestContext>) {
    // A thread that is ending has no slot any more, so its code runs without a context.
    let _ = CURRENT.try_with(|current| *place = current.replace(place.take()));
}

pin_project! {
    /// A future with a [`RequestContext`] around it; made by [`RequestContext::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        context: Option<RequestContext>,
        // `None` once it has been dropped, which happens in the scope too.
        #[pin]
        inner: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                let _entered = enter(this.context);
                this.inner.set(None);
            }
        }
    }
}

impl<F> Scoped<F> {
    #[inline]
    pub(crate) fn new(context: Option<RequestContext>, inner: F) -> Self {
        Self { context, inner: Some(inner) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let _entered = enter(this.context);
        inner.poll(cx)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scoped")
    }
}
