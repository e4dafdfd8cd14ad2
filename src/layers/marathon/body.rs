use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::layers::classify::ClassifyBody;
use crate::layers::credential::LeaseBody;

pin_project! {
    /// The response body of [`Marathon`](super::Marathon): the same bytes and trailers as the inner service's, and its errors,
    /// boxed. A body that is silent for `streamIdleTimeoutMs` ends with an
    /// [error of ours](crate::ErrorKind::StreamIdleTimeout).
    pub struct MarathonBody<B> {
        #[pin]
        inner: LeaseBody<ClassifyBody<B>>,
    }
}

impl<B> MarathonBody<B> {
    pub(super) fn new(inner: LeaseBody<ClassifyBody<B>>) -> Self {
        Self { inner }
    }
}

impl<B> Body for MarathonBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for MarathonBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MarathonBody").field("inner", &self.inner).finish()
    }
}
