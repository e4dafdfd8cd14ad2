use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::MarathonBody;
use crate::error::BoxError;
use crate::layers::classify::ClassifyBody;
use crate::layers::credential::{CredentialService, LeaseBody};
use crate::layers::replayable::ReplayableBody;
use crate::layers::{classify, notify, retry};

type Inner<S, B, RB> = notify::ResponseFuture<
    retry::ResponseFuture<CredentialService<classify::Classify<S>>, B, LeaseBody<ClassifyBody<RB>>>,
>;

pin_project! {
    /// The future of [`Marathon`](super::Marathon).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, RB>
    where
        S: Service<Request<B>, Response = Response<RB>>,
        S: Clone,
        S::Error: Into<BoxError>,
        B: ReplayableBody,
        RB: Body,
        RB::Error: Into<BoxError>,
    {
        #[pin]
        inner: Inner<S, B, RB>,
    }
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
    RB: Body,
    RB::Error: Into<BoxError>,
{
    pub(super) fn new(inner: Inner<S, B, RB>) -> Self {
        Self { inner }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
    RB: Body,
    RB::Error: Into<BoxError>,
{
    type Output = Result<Response<MarathonBody<RB>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx));
        Poll::Ready(response.map(|response| response.map(MarathonBody::new)))
    }
}

impl<S, B, RB> fmt::Debug for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
    RB: Body,
    RB::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("marathon::ResponseFuture")
    }
}
