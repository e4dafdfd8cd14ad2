use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::context::RequestContext;
use crate::context::ending::StreamNews;
use crate::error::{BoxError, Error, TimedOut};
use crate::pool::Lease;

pin_project! {
    /// The response body of [`CredentialService`](super::CredentialService): the inner one with its errors boxed. While it
    /// streams, the credential counts as in flight.
    pub struct LeaseBody<B> {
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B> {
        Live {
            #[pin]
            body: B,
            held: Option<HeldLease>,
        },
        /// An answer that the pool remembered.
        Memory {
            body: Bytes,
        },
    }
}

/// A lease whose answer is under way.
struct HeldLease {
    lease: Lease,
    /// The context of the call that the lease belongs to.
    context: RequestContext,
    /// The news of a stream: reports about what comes after its head.
    news: Option<StreamNews>,
    /// Whether the end that the stream reported has been settled.
    settled: bool,
}

impl HeldLease {
    fn settle(&mut self) {
        if self.settled {
            return;
        }
        let Some(news) = &self.news else { return };
        for event in news.take_limits() {
            self.lease.heard_event(&event);
        }
        if let Some(ending) = news.ending() {
            self.settled = true;
            self.lease.pool().stream_ended(&self.lease, ending, || self.context.model_name());
        }
    }

    /// Settles a body that broke off.
    #[cold]
    fn break_off(&self, error: &BoxError) {
        if let Some(timed_out) = time_limit(error) {
            self.context.call().time_out(timed_out);
            self.lease.timed_out(timed_out);
        }
        if !self.settled {
            self.lease.pool().broke_off(&self.lease);
        }
    }
}

/// The time limit that ended a body, if one did.
fn time_limit(error: &BoxError) -> Option<TimedOut> {
    Error::find(&**error)?.timed_out()
}

/// Logs a time limit in a failed answer. Its lease ended with the head, so there is no event.
#[cold]
fn trace_time_limit(error: &BoxError) {
    if let Some(timed_out) = time_limit(error) {
        let key = timed_out.limit.key();
        tracing::warn!(target: "oauth_marathon", { oauth_marathon.limit = key }, "the body of a failed answer was silent for too long");
    }
}

impl<B: Body> LeaseBody<B> {
    pub(super) fn memory(body: Bytes) -> Self {
        Self { inner: Inner::Memory { body } }
    }

    /// Holds the lease until the body ends, or ends it at once if no body follows (RFC 9110 section 6.4.1).
    #[inline]
    pub(super) fn attach(
        response: Response<B>,
        held: Option<(Lease, RequestContext)>,
        news: Option<StreamNews>,
        without_body: bool,
    ) -> Response<Self> {
        const WITHOUT_BODY: [StatusCode; 3] =
            [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        let ended = without_body || WITHOUT_BODY.contains(&response.status()) || response.body().is_end_stream();
        let mut held =
            held.filter(|_| !ended).map(|(lease, context)| HeldLease { lease, context, news, settled: false });
        // The stream may have failed in the same chunk in which it began.
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
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (mut body, held) = match self.project().inner.project() {
            InnerProj::Live { body, held } => (body, held),
            InnerProj::Memory { body } => {
                let body = std::mem::take(body);
                return Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))));
            }
        };
        let frame = ready!(body.as_mut().poll_frame(cx));
        let frame = frame.map(|frame| frame.map_err(Into::into));
        if let Some(under_way) = held.as_mut() {
            under_way.settle();
            let is_over = match &frame {
                Some(Err(error)) => {
                    under_way.break_off(error);
                    true
                }
                // hyper drops a body as soon as its announced length has come, without asking for the end.
                Some(Ok(_)) => body.is_end_stream(),
                None => true,
            };
            if is_over {
                *held = None;
            }
        } else if let Some(Err(error)) = &frame {
            trace_time_limit(error);
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
