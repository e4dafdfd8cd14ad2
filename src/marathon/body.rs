use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::classify::ClassifyBody;
use crate::credential::LeaseBody;

pin_project! {
    /// The response body of [`Marathon`](super::Marathon): the same bytes, trailers and errors as the inner service's.
    #[derive(Debug)]
    pub struct MarathonBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: LeaseBody<ClassifyBody<B>>,
    }
}

impl<B: Body> MarathonBody<B> {
    pub(super) fn new(inner: LeaseBody<ClassifyBody<B>>) -> Self {
        Self { inner }
    }
}

impl<B> Body for MarathonBody<B>
where
    B: Body,
    B::Data: Buf,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
