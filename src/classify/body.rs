use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The response body of [`Classify`](super::Classify): the inner one, of which a failed answer's beginning may already
    /// have been read. It yields the same bytes, trailers and errors as the inner one.
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
            read: Bytes,
            rest: Rest<B>,
        },
    }
}

/// What comes after the part that was read.
pub(super) enum Rest<B: Body> {
    Trailers(Option<HeaderMap>),
    Failed(Option<B::Error>),
    Open(Pin<Box<B>>),
}

impl<B: Body> ClassifyBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self { inner: Inner::Unread { body } }
    }

    pub(super) fn read(read: Bytes, rest: Rest<B>) -> Self {
        Self { inner: Inner::Read { read, rest } }
    }
}

impl<B: Body> Body for ClassifyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (read, rest) = match self.project().inner.project() {
            InnerProj::Unread { body } => {
                return Poll::Ready(ready!(body.poll_frame(cx)).map(|frame| frame.map(bytes_of)));
            }
            InnerProj::Read { read, rest } => (read, rest),
        };
        if !read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(read)))));
        }
        match rest {
            Rest::Trailers(trailers) => Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            Rest::Failed(error) => Poll::Ready(error.take().map(Err)),
            Rest::Open(body) => Poll::Ready(ready!(body.as_mut().poll_frame(cx)).map(|frame| frame.map(bytes_of))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Unread { body } => body.is_end_stream(),
            Inner::Read { read, rest } => {
                read.is_empty()
                    && match rest {
                        Rest::Trailers(trailers) => trailers.is_none(),
                        Rest::Failed(error) => error.is_none(),
                        Rest::Open(body) => body.is_end_stream(),
                    }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Unread { body } => body.size_hint(),
            Inner::Read { read, rest } => {
                let read = read.len() as u64;
                let rest = match rest {
                    Rest::Open(body) => body.size_hint(),
                    // How long it would have been is not known; as a length, what has come would make it look whole.
                    Rest::Failed(Some(_)) => SizeHint::new(),
                    Rest::Failed(None) | Rest::Trailers(_) => SizeHint::with_exact(0),
                };
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(read));
                if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
                    hint.set_upper(upper);
                }
                hint
            }
        }
    }
}

/// The same data as `Bytes`; where it is `Bytes` already, nothing is copied.
fn bytes_of<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

impl<B: Body> fmt::Debug for ClassifyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = match &self.inner {
            Inner::Unread { .. } => 0,
            Inner::Read { read, .. } => read.len(),
        };
        f.debug_struct("ClassifyBody").field("read", &read).finish_non_exhaustive()
    }
}
