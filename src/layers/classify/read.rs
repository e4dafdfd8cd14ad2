//! The body of a failed answer: read within bounds, then given to the caller from its start.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::sync::time::Sleep;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::response::Parts;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::watched::Watched;
use crate::clock;
use crate::error::BoxError;

/// The most bytes of the body that are read. Error bodies are small; leaving a larger one costs less than reading it.
pub(super) const BYTES: usize = 128 * 1024;

/// How long the body of a failure is read after its head has come.
pub(super) const TIME: Duration = Duration::from_millis(250);

pin_project! {
    /// A failed answer's body while it is read. It is boxed from the start, so that an answer that did not fail carries
    /// no space for it.
    pub(super) struct Reading<B> {
        #[pin]
        body: Watched<B>,
        head: Option<Parts>,
        read: Bytes,
        // What came after the first chunk: most failures have one.
        more: Option<BytesMut>,
        end: Option<ReadEnd>,
        // Armed only if the body is not ready at the first poll.
        limit: Option<Pin<Box<Sleep>>>,
    }
}

/// How the reading ended, with the trailers or the error that the caller has still to get.
enum ReadEnd {
    Complete(Option<HeaderMap>),
    Failed(Option<BoxError>),
    /// A bound was reached: the caller reads what is left.
    Left,
}

impl<B> Reading<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(head: Parts, body: Watched<B>) -> Self {
        Self { body, head: Some(head), read: Bytes::new(), more: None, end: None, limit: None }
    }

    /// Ready when the body has ended, or a bound is reached.
    pub(super) fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while this.end.is_none() {
            match this.body.as_mut().poll_frame(cx) {
                Poll::Pending => {
                    ready!(poll_limit(this.limit, cx));
                    *this.end = Some(ReadEnd::Left);
                }
                Poll::Ready(None) => *this.end = Some(ReadEnd::Complete(None)),
                Poll::Ready(Some(Err(error))) => *this.end = Some(ReadEnd::Failed(Some(error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        if this.read.is_empty() {
                            *this.read = data;
                        } else {
                            this.more.get_or_insert_default().extend_from_slice(&data);
                        }
                        if this.read.len() + this.more.as_ref().map_or(0, BytesMut::len) > BYTES {
                            *this.end = Some(ReadEnd::Left);
                        }
                    }
                    // Nothing follows trailers (RFC 9110 section 6.5).
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            *this.end = Some(ReadEnd::Complete(Some(trailers)));
                        }
                    }
                },
            }
        }
        // Several chunks are joined once, so that rules find words that lie across them.
        if let Some(more) = this.more.take() {
            let mut all = BytesMut::with_capacity(this.read.len() + more.len());
            all.extend_from_slice(this.read);
            all.extend_from_slice(&more);
            *this.read = all.freeze();
        }
        *this.limit = None;
        Poll::Ready(())
    }

    pub(super) fn take_head(self: Pin<&mut Self>) -> Option<Parts> {
        self.project().head.take()
    }

    /// The bytes that were read and have not been passed on yet.
    pub(super) fn unread(&self) -> &Bytes {
        &self.read
    }

    /// Whether the whole body was read.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.end, Some(ReadEnd::Complete(_)))
    }

    /// Polls the body for the caller, from its start: first what was read, then what is left.
    pub(super) fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if !this.read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.read)))));
        }
        match this.end {
            Some(ReadEnd::Complete(trailers)) => {
                Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Some(ReadEnd::Failed(error)) => Poll::Ready(error.take().map(Err)),
            Some(ReadEnd::Left) | None => this.body.poll_frame(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && match &self.end {
                Some(ReadEnd::Complete(trailers)) => trailers.is_none(),
                Some(ReadEnd::Failed(error)) => error.is_none(),
                Some(ReadEnd::Left) | None => self.body.is_end_stream(),
            }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let read = self.read.len() as u64;
        let rest = match &self.end {
            Some(ReadEnd::Complete(_)) => return SizeHint::with_exact(read),
            // The full length is unknown, and the length of the bytes that came would make the body look whole.
            Some(ReadEnd::Failed(Some(_))) => SizeHint::new(),
            Some(ReadEnd::Failed(None)) => SizeHint::with_exact(0),
            Some(ReadEnd::Left) | None => self.body.size_hint(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
            hint.set_upper(upper);
        }
        hint
    }
}

/// Polls the time limit. Outside of a runtime it is pending for ever.
fn poll_limit(limit: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
    if limit.is_none() {
        *limit = clock::timer(clock::now() + TIME);
    }
    limit.as_mut().map_or(Poll::Pending, |limit| limit.as_mut().poll(cx))
}
