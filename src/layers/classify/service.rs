use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::ClassifyBody;
use super::future::ResponseFuture;
use super::judge::Judge;
use super::stream::Asked;
use crate::context::RequestContext;
use crate::error::BoxError;

/// The service of [`ClassifyLayer`](super::ClassifyLayer).
#[derive(Debug, Clone)]
pub struct Classify<S> {
    inner: S,
    judge: Arc<Judge>,
}

impl<S> Classify<S> {
    pub(super) fn over(inner: S, judge: Arc<Judge>) -> Self {
        Self { inner, judge }
    }

    inner_service!();
}

impl<S, B, RB> Service<Request<B>> for Classify<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    S::Error: Into<BoxError>,
    RB: Body,
    RB::Error: Into<BoxError>,
{
    type Response = Response<ClassifyBody<RB>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = RequestContext::find(request.extensions());
        if let Some(context) = &context {
            context.set_streams(false);
        }
        let asked = Asked::by(&request);
        ResponseFuture::new(self.inner.call(request), self.judge.clone(), context, asked)
    }
}
