//! The service that runs each call in its context.

use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use super::future::ResponseFuture;
use super::guard::CancelGuard;
use crate::context::{RequestContext, Scoped, enter};
use crate::events::hub::Notifiers;

/// A service whose calls have a [`RequestContext`]; made by [`NotifyLayer`](super::NotifyLayer).
#[derive(Debug, Clone)]
pub struct Notify<S> {
    inner: S,
    notifiers: Option<Notifiers>,
    in_extensions: bool,
}

impl<S> Notify<S> {
    pub(super) fn over(inner: S, notifiers: Option<Notifiers>, in_extensions: bool) -> Self {
        Self { inner, notifiers, in_extensions }
    }

    inner_service!();
}

impl<S, B> Service<Request<B>> for Notify<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = RequestContext::open(request.extensions());
        // A context that the caller put there must not be taken for the context of this call.
        if self.in_extensions || !request.extensions().is_empty() {
            request.extensions_mut().insert(context.clone());
        }
        let guard = CancelGuard::armed(&context, &self.notifiers);
        let mut context = Some(context);
        // The future's scope does not cover the inner `call`, so the context is entered for it here.
        let entered = enter(&mut context);
        let future = self.inner.call(request);
        drop(entered);
        ResponseFuture::new(Scoped::new(context, future), guard)
    }
}

#[cfg(test)]
mod tests;
