use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::read::{Reading, bytes_of};
use super::stream::Stream;

pin_project! {
    /// The response body of [`Classify`](super::Classify): the inner one, of which the beginning of a failed answer or
    /// of a stream may already have been read. It yields the same bytes, trailers and errors as the inner one.
    pub struct ClassifyBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B>
    where
        B: Body,
    {
        Unread {
            #[pin]
            body: B,
        },
        Read {
            reading: Pin<Box<Reading<B>>>,
        },
        Stream {
            stream: Pin<Box<Stream<B>>>,
        },
    }
}

impl<B: Body> ClassifyBody<B> {
    #[inline]
    pub(super) fn unread(body: B) -> Self {
        Self { inner: Inner::Unread { body } }
    }

    pub(super) fn read(reading: Pin<Box<Reading<B>>>) -> Self {
        Self { inner: Inner::Read { reading } }
    }

    pub(super) fn stream(stream: Pin<Box<Stream<B>>>) -> Self {
        Self { inner: Inner::Stream { stream } }
    }
}

impl<B: Body> Body for ClassifyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().inner.project() {
            InnerProj::Unread { body } => Poll::Ready(ready!(body.poll_frame(cx)).map(|frame| frame.map(bytes_of))),
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

impl<B: Body> fmt::Debug for ClassifyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = match &self.inner {
            Inner::Unread { .. } => 0,
            Inner::Read { reading } => reading.unread().len(),
            Inner::Stream { stream } => stream.held_bytes(),
        };
        f.debug_struct("ClassifyBody").field("read", &read).finish_non_exhaustive()
    }
}
