use std::task::{Context, Poll};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::attempt::{Awaited, acquire};
use super::body::LeaseBody;
use super::future::{ResponseFuture, Waiting};
use super::inject::strip;
use super::unavailable::refuse_or_answer;
use super::wait::Wait;
use crate::context::RequestContext;
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::{Acquired, Pool};

/// The service of [`CredentialLayer`](super::CredentialLayer).
#[derive(Debug, Clone)]
pub struct CredentialService<S> {
    inner: S,
    pool: Pool,
    pass_other_origins: bool,
}

impl<S> CredentialService<S> {
    pub(super) fn over(inner: S, pool: Pool, pass_other_origins: bool) -> Self {
        Self { inner, pool, pass_other_origins }
    }

    inner_service!();
}

impl<S, B, RB> Service<Request<B>> for CredentialService<S>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    RB: Body,
    RB::Data: Buf,
{
    type Response = Response<LeaseBody<RB>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !self.pool.allows(request.uri()) {
            return self.elsewhere(request);
        }
        let context = RequestContext::join(request.extensions_mut());
        match acquire(&self.pool, &context, Awaited::NONE) {
            Ok(Acquired::Lease(lease)) => ResponseFuture::send(&mut self.inner, request, context, lease),
            Ok(Acquired::Refreshing { awaited, done }) => {
                // A request that waits must not keep a place in the service below, least of all the one that the refresh
                // needs. So the instance that was polled ready is replaced, and a clone is polled once the token is there.
                let service = self.inner.clone();
                self.inner = service.clone();
                let wait = Wait::begin(self.pool.clone(), context, awaited, done);
                ResponseFuture::waiting(Waiting { service, request, wait })
            }
            Ok(Acquired::None(why)) => ResponseFuture::done(refuse_or_answer(&self.pool, &context, why, None)),
            Err(error) => ResponseFuture::done(Err(error.into())),
        }
    }
}

impl<S> CredentialService<S> {
    /// A request to another origin goes on without a credential, or not at all.
    fn elsewhere<B, RB>(&mut self, mut request: Request<B>) -> ResponseFuture<S, B, RB>
    where
        S: Service<Request<B>, Response = Response<RB>>,
        S::Error: Into<BoxError>,
        RB: Body,
    {
        if self.pass_other_origins && request.uri().authority().is_some() {
            strip(request.headers_mut(), &self.pool);
            return ResponseFuture::calling(self.inner.call(request), None, false);
        }
        ResponseFuture::done(Err(foreign_origin(&self.pool, request.uri()).into()))
    }
}

fn foreign_origin(pool: &Pool, uri: &http::Uri) -> Error {
    let origin = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            format!("{scheme}://{}", authority.as_str().rsplit('@').next().unwrap_or_default())
        }
        _ => "no origin (its URI is not absolute)".to_owned(),
    };
    let message = format!(
        "the request is addressed to {origin}, but the credentials of {:?} may be sent to {:?} only; name it with PoolBuilder::origin if they belong there",
        pool.provider(),
        pool.origins(),
    );
    Error::new(ErrorKind::ForeignOrigin, message)
}
