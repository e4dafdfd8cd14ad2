use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::read::Reading;
use super::stream::Stream;
use super::watched::Watched;
use crate::error::BoxError;

pin_project! {
    /// The response body of [`Classify`](super::Classify). It yields the same bytes and trailers as the inner body, and its
    /// errors, boxed; the beginning of a failed answer or of a stream may already have been read. A body that is silent for too
    /// long ends with an [error of ours](crate::ErrorKind::StreamIdleTimeout).
    pub struct ClassifyBody<B> {
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B> {
        Unread {
            #[pin]
            body: Watched<B>,
        },
        Read {
            reading: Pin<Box<Reading<B>>>,
        },
        Stream {
            stream: Pin<Box<Stream<B>>>,
        },
    }
}

impl<B> ClassifyBody<B> {
    #[inline]
    pub(super) fn unread(body: Watched<B>) -> Self {
        Self { inner: Inner::Unread { body } }
    }

    pub(super) fn read(reading: Pin<Box<Reading<B>>>) -> Self {
        Self { inner: Inner::Read { reading } }
    }

    pub(super) fn stream(stream: Pin<Box<Stream<B>>>) -> Self {
        Self { inner: Inner::Stream { stream } }
    }
}

impl<B> Body for ClassifyBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().inner.project() {
            InnerProj::Unread { body } => body.poll_frame(cx),
            InnerProj::Read { reading } => reading.as_mut().poll_frame(cx),
            InnerProj::Stream { stream } => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Unread { body } => body.is_end_stream(),
            Inner::Read { reading } => reading.is_end_stream(),
            Inner::Stream { stream } => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Unread { body } => body.size_hint(),
            Inner::Read { reading } => reading.size_hint(),
            Inner::Stream { stream } => stream.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ClassifyBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = match &self.inner {
            Inner::Unread { .. } => 0,
            Inner::Read { reading } => reading.unread().len(),
            Inner::Stream { stream } => stream.held_bytes(),
        };
        f.debug_struct("ClassifyBody").field("read", &read).finish_non_exhaustive()
    }
}
