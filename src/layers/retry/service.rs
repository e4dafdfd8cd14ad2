use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::future::ResponseFuture;
use super::progress::{Progress, Shared};
use super::run::Run;
use super::spare::{Spare, is_idempotent};
use crate::context::RequestContext;
use crate::error::BoxError;
use crate::layers::replayable::ReplayableBody;

/// The service of [`RetryLayer`](super::RetryLayer).
#[derive(Debug, Clone)]
pub struct Retry<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Retry<S> {
    pub(super) fn over(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    inner_service!();
}

impl<S, B, RB> Service<Request<B>> for Retry<S>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
{
    type Response = Response<RB>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = RequestContext::join(request.extensions_mut());
        let idempotent = self.shared.limits.safe && is_idempotent(&request);
        let progress = Progress::new(self.shared.clone(), context, idempotent);
        progress.tell_model(&request);
        let spare = Spare::of(&request);
        if spare.is_some() {
            progress.resendable();
        }
        // The instance that was polled ready makes the call; its clone has to be polled anew.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let attempt = ready.call(request);
        ResponseFuture::new(attempt, ready, Run::new(progress, spare))
    }
}
