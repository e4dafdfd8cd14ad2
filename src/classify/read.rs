//! Reading a failed answer's body, within bounds.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use tokio::time::Sleep;

use super::body::{ClassifyBody, Rest};

/// The most that is read: error bodies are small, and a larger one is cheaper to leave than to read.
pub(super) const BYTES: usize = 128 * 1024;

/// The longest that is waited for the rest of a body whose head has come.
pub(super) const TIME: Duration = Duration::from_millis(250);

pub(super) struct Reading<B: Body> {
    body: Pin<Box<B>>,
    chunks: Vec<Bytes>,
    length: usize,
    trailers: Option<HeaderMap>,
    end: Option<End<B::Error>>,
    /// Armed only if the body is not there at once.
    limit: Option<Pin<Box<Sleep>>>,
}

enum End<E> {
    Complete,
    Failed(E),
    /// Over the bounds.
    Left,
}

impl<B: Body> Reading<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: Box::pin(body), chunks: Vec::new(), length: 0, trailers: None, end: None, limit: None }
    }

    /// Ready when the body has ended, or a bound is reached.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() {
            match self.body.as_mut().poll_frame(cx) {
                Poll::Pending => return self.poll_limit(cx),
                Poll::Ready(None) => self.end = Some(End::Complete),
                Poll::Ready(Some(Err(error))) => self.end = Some(End::Failed(error)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => {
                        self.length += data.remaining();
                        self.chunks.push(data.copy_to_bytes(data.remaining()));
                        if self.length > BYTES {
                            self.end = Some(End::Left);
                        }
                    }
                    Err(frame) => {
                        // Nothing follows trailers (RFC 9110 section 6.5).
                        if let Ok(trailers) = frame.into_trailers() {
                            self.trailers = Some(trailers);
                            self.end = Some(End::Complete);
                        }
                    }
                },
            }
        }
        Poll::Ready(())
    }

    /// The body as the caller gets it, what was read of it, and whether that is all.
    pub(super) fn finish(self) -> (ClassifyBody<B>, Bytes, bool) {
        let read = join(self.chunks);
        let is_complete = matches!(self.end, Some(End::Complete));
        let rest = match self.end {
            Some(End::Complete) => Rest::Trailers(self.trailers),
            Some(End::Failed(error)) => Rest::Failed(Some(error)),
            Some(End::Left) | None => Rest::Open(self.body),
        };
        (ClassifyBody::read(read.clone(), rest), read, is_complete)
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.limit.is_none() && tokio::runtime::Handle::try_current().is_ok() {
            self.limit = Some(Box::pin(tokio::time::sleep(TIME)));
        }
        let Some(limit) = &mut self.limit else { return Poll::Pending };
        let over = limit.as_mut().poll(cx).is_ready();
        if over {
            self.end = Some(End::Left);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// One chunk stays as it is; several are put together once, so that rules can look for words across them.
fn join(mut chunks: Vec<Bytes>) -> Bytes {
    match chunks.len() {
        0 => Bytes::new(),
        1 => chunks.swap_remove(0),
        _ => {
            let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
            for chunk in chunks {
                all.extend_from_slice(&chunk);
            }
            all.freeze()
        }
    }
}
