//! Converts answers of reqwest for the stack, and back for the caller.

use std::pin::Pin;
use std::task::{Context, Poll};

use ::reqwest::{Body, Error, Response, ResponseBuilderExt, Url};
use bytes::Bytes;
use http::Extensions;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::layers::marathon::MarathonBody;

/// A mark in the extensions of an answer that came over the network, and so has a URL.
#[derive(Debug, Clone, Copy)]
struct Received;

/// Converts an answer for the stack. Its URL goes into its extensions, where the conversion back expects it.
pub(super) fn answer_in(mut answer: Response) -> http::Response<Body> {
    let url = answer.url().clone();
    put_url(answer.extensions_mut(), url);
    answer.extensions_mut().insert(Received);
    http::Response::from(answer)
}

/// Takes the head off an answer, which [`put_head`] puts on again.
pub(super) fn take_head(answer: &mut Response) -> http::Response<AnswerBody> {
    let mut head = http::Response::new(AnswerBody::Aside);
    *head.status_mut() = answer.status();
    *head.version_mut() = answer.version();
    std::mem::swap(head.headers_mut(), answer.headers_mut());
    std::mem::swap(head.extensions_mut(), answer.extensions_mut());
    head
}

fn put_head(mut answer: Response, head: http::Response<MarathonBody<AnswerBody>>) -> Response {
    let (mut parts, _) = head.into_parts();
    std::mem::swap(answer.headers_mut(), &mut parts.headers);
    std::mem::swap(answer.extensions_mut(), &mut parts.extensions);
    answer
}

/// Converts the answer of a stack back. `aside` gives the answer whose body was kept aside, if any. `url` gives the
/// request's URL, for an answer that the pool remembered.
pub(super) fn answer_out(
    mut answer: http::Response<MarathonBody<AnswerBody>>,
    aside: impl FnOnce() -> Option<Response>,
    url: impl FnOnce() -> Option<Url>,
) -> Response {
    if is_aside(answer.body())
        && let Some(whole) = aside()
    {
        return put_head(whole, answer);
    }
    if answer.extensions_mut().remove::<Received>().is_none()
        && let Some(url) = url()
    {
        put_url(answer.extensions_mut(), url);
    }
    Response::from(answer)
}

fn put_url(extensions: &mut Extensions, url: Url) {
    let mut carrier = http::Response::builder();
    // Only the builder can put a URL where reqwest finds it. The builder works on this very map, so that nothing has to
    // be merged.
    if let Some(carried) = carrier.extensions_mut() {
        std::mem::swap(carried, extensions);
    }
    if let Some(carried) = carrier.url(url).extensions_mut() {
        std::mem::swap(carried, extensions);
    }
}

/// The body of an answer while the stack has it.
#[derive(Debug)]
pub(super) enum AnswerBody {
    Here(Body),
    /// The body stays with reqwest's answer, and only the head goes up the stack. For the layers this body has ended
    /// although its length is unknown, which is true of no other body.
    Aside,
}

fn is_aside(body: &impl HttpBody) -> bool {
    body.is_end_stream() && body.size_hint().exact().is_none()
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Here(body) => Pin::new(body).poll_frame(cx),
            Self::Aside => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Here(body) => body.is_end_stream(),
            Self::Aside => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Here(body) => body.size_hint(),
            Self::Aside => SizeHint::new(),
        }
    }
}

impl From<MarathonBody<AnswerBody>> for Body {
    fn from(body: MarathonBody<AnswerBody>) -> Self {
        Body::wrap(body)
    }
}

/// Lets `Response::from` make a [`Response`] of an answer, its URL included.
impl From<MarathonBody<Body>> for Body {
    fn from(body: MarathonBody<Body>) -> Self {
        Body::wrap(body)
    }
}
