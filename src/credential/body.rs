use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::context::RequestContext;
use crate::ending::StreamNews;
use crate::pool::Lease;

pin_project! {
    /// The response body of [`CredentialService`](super::CredentialService). While it streams, the credential counts as in
    /// flight.
    pub struct LeaseBody<B>
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
        Live {
            #[pin]
            body: B,
            held: Option<Held>,
        },
        /// An answer that the pool remembered.
        Memory {
            body: Bytes,
        },
    }
}

/// A lease whose answer is under way.
struct Held {
    lease: Lease,
    /// Of a stream: where it tells what comes after the head, and the call that it belongs to.
    stream: Option<(StreamNews, RequestContext)>,
    /// What the stream told has been settled.
    settled: bool,
}

impl Held {
    fn settle(&mut self) {
        if self.settled {
            return;
        }
        let Some((news, context)) = &self.stream else { return };
        for event in news.take_limits() {
            self.lease.heard_event(&event);
        }
        if let Some(ending) = news.ending() {
            self.settled = true;
            self.lease.pool().stream_ended(&self.lease, ending, || context.model_name());
        }
    }
}

impl<B: Body> LeaseBody<B> {
    pub(super) fn memory(body: Bytes) -> Self {
        Self { inner: Inner::Memory { body } }
    }

    /// Holds the lease until the body ends, or gives it back at once where no body follows (RFC 9110 section 6.4.1).
    #[inline]
    pub(super) fn attach(
        response: Response<B>,
        held: Option<Lease>,
        stream: Option<(StreamNews, RequestContext)>,
        without_body: bool,
    ) -> Response<Self> {
        const WITHOUT_BODY: [StatusCode; 3] =
            [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        let ended = without_body || WITHOUT_BODY.contains(&response.status()) || response.body().is_end_stream();
        let mut held = held.filter(|_| !ended).map(|lease| Held { lease, stream, settled: false });
        // It may have failed in the same breath in which it began.
        if let Some(held) = &mut held {
            held.settle();
        }
        response.map(|body| Self { inner: Inner::Live { body, held } })
    }
}

impl<B> Body for LeaseBody<B>
where
    B: Body,
    B::Data: Buf,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (mut body, held) = match self.project().inner.project() {
            InnerProj::Live { body, held } => (body, held),
            InnerProj::Memory { body } => {
                let body = std::mem::take(body);
                return Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))));
            }
        };
        let frame = ready!(body.as_mut().poll_frame(cx));
        if let Some(under_way) = held.as_mut() {
            under_way.settle();
            let is_over = match &frame {
                Some(Err(_)) => {
                    if !under_way.settled {
                        under_way.lease.pool().broke_off(&under_way.lease);
                    }
                    true
                }
                // hyper drops a body as soon as its announced length has come, without asking for the end.
                Some(Ok(_)) => body.is_end_stream(),
                None => true,
            };
            if is_over {
                *held = None;
            }
        }
        Poll::Ready(
            frame.map(|frame| frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))),
        )
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Live { body, .. } => body.is_end_stream(),
            Inner::Memory { body } => body.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Live { body, .. } => body.size_hint(),
            Inner::Memory { body } => SizeHint::with_exact(body.len() as u64),
        }
    }
}

impl<B: Body> fmt::Debug for LeaseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, memory) = match &self.inner {
            Inner::Live { held, .. } => (held.is_some(), false),
            Inner::Memory { .. } => (false, true),
        };
        f.debug_struct("LeaseBody").field("held", &held).field("memory", &memory).finish_non_exhaustive()
    }
}
