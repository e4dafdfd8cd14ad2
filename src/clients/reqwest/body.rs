//! The request body on its way to reqwest.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ::reqwest::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{Empty, Full};

use crate::error::BoxError;
use crate::layers::replay::ReplayBody;
use crate::layers::replayable::ReplayableBody;

/// The body of a request on its way to reqwest: bytes, which are copied for free and can be sent again, or a stream, which
/// is sent once.
///
/// Bytes go out as a body that reqwest can send again by itself, so that redirects with 307 and 308, and middlewares that
/// clone requests, keep working below.
///
/// ```
/// use oauth_marathon::layers::replay::ReplayableBody;
/// use oauth_marathon::clients::reqwest::RequestBody;
///
/// let bytes = RequestBody::from(reqwest::Body::from("hello"));
/// assert_eq!(bytes.as_bytes(), Some(&b"hello"[..]));
/// assert!(bytes.try_clone().is_some());
///
/// let stream = RequestBody::from(reqwest::Body::wrap(http_body_util::Full::<bytes::Bytes>::from("hello")));
/// assert!(stream.as_bytes().is_none() && stream.try_clone().is_none());
/// ```
#[derive(Debug)]
pub struct RequestBody(Inner);

#[derive(Debug)]
enum Inner {
    Bytes(Bytes),
    Stream(Body),
}

impl RequestBody {
    /// A body that is streamed, and sent once.
    pub fn stream<B>(body: B) -> Self
    where
        B: HttpBody + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        Self(Inner::Stream(Body::wrap(body)))
    }

    /// The bytes; `None` for a stream.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Inner::Bytes(bytes) => Some(bytes),
            Inner::Stream(_) => None,
        }
    }

    /// The body as a request holds it: `None` if there is nothing to send.
    pub(super) fn into_option(self) -> Option<Body> {
        match self.0 {
            Inner::Bytes(bytes) if bytes.is_empty() => None,
            _ => Some(self.into()),
        }
    }
}

/// Takes the bytes out without copying them, if the body holds bytes.
impl From<Body> for RequestBody {
    fn from(mut body: Body) -> Self {
        if body.as_bytes().is_none() {
            return Self(Inner::Stream(body));
        }
        // A body of bytes has one frame, which is ready at once.
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        let bytes = match frame {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            _ => Bytes::new(),
        };
        Self(Inner::Bytes(bytes))
    }
}

impl From<RequestBody> for Body {
    fn from(body: RequestBody) -> Self {
        match body.0 {
            Inner::Bytes(bytes) => bytes.into(),
            Inner::Stream(body) => body,
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Bytes(bytes))
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for RequestBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for RequestBody {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Full<Bytes>> for RequestBody {
    fn from(mut body: Full<Bytes>) -> Self {
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        match frame {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default().into(),
            _ => Self::default(),
        }
    }
}

impl From<Empty<Bytes>> for RequestBody {
    fn from(_: Empty<Bytes>) -> Self {
        Self::default()
    }
}

/// Each copy is a stream of its own, so that a recorded body can be sent again.
impl<B> From<ReplayBody<B>> for RequestBody
where
    B: HttpBody + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: ReplayBody<B>) -> Self {
        Self::stream(body)
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self(Inner::Bytes(Bytes::new()))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = ::reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ::reqwest::Error>>> {
        match &mut self.0 {
            Inner::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Inner::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Bytes(bytes) => bytes.is_empty(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(body) => body.size_hint(),
        }
    }
}

impl ReplayableBody for RequestBody {
    fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Inner::Bytes(bytes) => Some(Self(Inner::Bytes(bytes.clone()))),
            Inner::Stream(_) => None,
        }
    }

    fn peek<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.as_bytes().map(read)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn bytes_come_out_of_a_reqwest_body_and_go_back_in_without_a_copy() {
        let bytes = Bytes::from(vec![b'x'; 4096]);
        let body = RequestBody::from(Body::from(bytes.clone()));
        assert_eq!(body.as_bytes().unwrap().as_ptr(), bytes.as_ptr());
        let copy = body.try_clone().unwrap();
        assert_eq!(Body::from(copy).as_bytes().unwrap().as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn both_kinds_read_as_bodies_of_their_exact_size() {
        for body in [RequestBody::from("hello"), RequestBody::stream(Full::<Bytes>::from("hello"))] {
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
            assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        }
        let empty = RequestBody::from(Body::default());
        assert_eq!((empty.size_hint().exact(), empty.is_end_stream()), (Some(0), true));
        assert!(empty.into_option().is_none());
        assert!(RequestBody::from("x").into_option().is_some());
    }

    #[test]
    fn whole_bodies_of_other_crates_stay_replayable() {
        assert_eq!(RequestBody::from(Full::<Bytes>::from("a")).as_bytes(), Some(&b"a"[..]));
        assert_eq!(RequestBody::from(Empty::<Bytes>::new()).as_bytes(), Some(&b""[..]));
        assert_eq!(RequestBody::from("a".to_owned()).as_bytes(), RequestBody::from(b"a".to_vec()).as_bytes());
    }
}
