//! A request body that comes in chunks, with pauses between them, and may fail.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

#[derive(Debug, Default)]
pub(crate) struct Upload {
    chunks: VecDeque<Bytes>,
    /// Whether the length is known beforehand, so that the request has a `Content-Length`.
    sized: bool,
    fails: bool,
    cooled_down: bool,
    /// If set, the last chunk waits for this gate.
    gate: Option<Arc<AtomicBool>>,
}

impl Upload {
    pub(crate) fn new(body: &Bytes, chunk: usize, sized: bool) -> Self {
        let chunks = (0..body.len()).step_by(chunk).map(|at| body.slice(at..body.len().min(at + chunk)));
        Self { chunks: chunks.collect(), sized, ..Self::default() }
    }

    /// Holds the last chunk back until `gate` is set.
    pub(crate) fn gated(mut self, gate: &Arc<AtomicBool>) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Lets the body fail in place of its end.
    pub(crate) fn failing(mut self) -> Self {
        self.fails = true;
        self
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.cooled_down = !self.cooled_down;
        let kept_back = self.chunks.len() == 1 && self.gate.as_ref().is_some_and(|gate| !gate.load(SeqCst));
        if self.cooled_down || kept_back {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if self.fails => Poll::Ready(Some(Err(io::Error::other("the caller's source failed")))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>() + u64::from(self.fails);
        if self.sized { SizeHint::with_exact(left) } else { SizeHint::default() }
    }
}
