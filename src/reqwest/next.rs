//! The rest of a middleware chain, as a service.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use ::reqwest::Body;
use http::{Extensions, Request, Response};
use reqwest_middleware::{Error, Next};
use tower_service::Service;

use super::body::RequestBody;
use super::convert::{Address, answer_in, request_out, tell_if_elsewhere};
use crate::context::RequestContext;

/// What the attempts of one request share.
pub(super) struct Chain {
    pub(super) address: Address,
    /// What the middlewares above have put in.
    extensions: Extensions,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    extensions: Option<Extensions>,
    context: Option<RequestContext>,
}

impl Chain {
    pub(super) fn new(address: Address, extensions: Extensions) -> Self {
        Self { address, extensions, latest: Mutex::default() }
    }

    /// Notes the context of the call.
    pub(super) fn enter(&self, context: &RequestContext) {
        self.latest().context = Some(context.clone());
    }

    /// The extensions that the latest attempt left, or those from above if none came to its end; and the call's context.
    pub(super) fn take(&mut self) -> (Extensions, Option<RequestContext>) {
        let Latest { extensions, context } = std::mem::take(&mut *self.latest());
        (extensions.unwrap_or_else(|| std::mem::take(&mut self.extensions)), context)
    }

    /// Each attempt begins with a copy of its own: nothing leaks from one into the next.
    fn copy(&self, request: &mut Request<RequestBody>) -> Extensions {
        let Some(context) = RequestContext::find(request.extensions()) else { return self.extensions.clone() };
        self.enter(&context);
        if self.extensions.is_empty() && request.extensions().len() == 1 {
            return std::mem::take(request.extensions_mut());
        }
        let mut extensions = self.extensions.clone();
        extensions.insert(context);
        extensions
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Borrows everything, which the layers above allow: their futures are named and ask for no `'static`.
#[derive(Clone)]
pub(super) struct NextService<'a> {
    next: Next<'a>,
    chain: &'a Chain,
}

impl<'a> NextService<'a> {
    pub(super) fn new(next: Next<'a>, chain: &'a Chain) -> Self {
        Self { next, chain }
    }
}

impl<'a> Service<Request<RequestBody>> for NextService<'a> {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send + 'a>>;

    /// A chain has no notion of readiness.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let Self { next, chain } = self.clone();
        Box::pin(async move {
            let mut extensions = chain.copy(&mut request);
            let kept = chain.address.is_kept_by(&request);
            let request = request_out(request, &chain.address)?;
            let moved = (!kept).then(|| request.url().clone());
            let result = next.run(request, &mut extensions).await;
            chain.latest().extensions = Some(extensions);
            let answer = result?;
            tell_if_elsewhere(moved.as_ref().unwrap_or(&chain.address.url), answer.url());
            Ok(answer_in(answer))
        })
    }
}
