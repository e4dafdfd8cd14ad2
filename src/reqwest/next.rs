//! The rest of a middleware chain, as a service.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
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
    last: Mutex<Option<(Extensions, Option<RequestContext>)>>,
}

impl Chain {
    pub(super) fn new(address: Address, extensions: Extensions) -> Self {
        Self { address, extensions, last: Mutex::new(None) }
    }

    /// The extensions that the last attempt left, and the context of the call; or what the caller gave, if there was none.
    pub(super) fn into_extensions(self) -> (Extensions, Option<RequestContext>) {
        self.last.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or((self.extensions, None))
    }

    /// Each attempt begins with a copy of its own: nothing leaks from one into the next.
    fn extensions(&self, request: &mut Request<RequestBody>) -> Extensions {
        let Some(context) = RequestContext::of(request.extensions()) else { return self.extensions.clone() };
        if self.extensions.is_empty() && request.extensions().len() == 1 {
            return std::mem::take(request.extensions_mut());
        }
        let mut extensions = self.extensions.clone();
        extensions.insert(context.clone());
        extensions
    }

    fn finish(&self, extensions: Extensions, context: Option<RequestContext>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((extensions, context));
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
            let context = RequestContext::of(request.extensions()).cloned();
            let mut extensions = chain.extensions(&mut request);
            let kept = chain.address.is_kept_by(&request);
            let request = request_out(request, &chain.address)?;
            let moved = (!kept).then(|| request.url().clone());
            let result = next.run(request, &mut extensions).await;
            chain.finish(extensions, context);
            let answer = result?;
            tell_if_elsewhere(moved.as_ref().unwrap_or(&chain.address.url), answer.url());
            Ok(answer_in(answer))
        })
    }
}
