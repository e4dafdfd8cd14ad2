//! The body that records what is read of it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::DEFAULT_LIMIT;
use super::state::{Polled, ReadPosition, ReadStep, ReplayState};
use crate::error::BoxError;
use crate::layers::replayable::ReplayableBody;

/// One handle of a request body that can be read several times, one handle for each send.
///
/// The first read goes to the caller's body and is recorded, without a copy, up to a limit; later handles are made with
/// [`try_clone`](ReplayableBody::try_clone) and play the recording back, trailers included, then go on with the
/// caller's body where the recording ends. Nothing is read ahead. Over the limit the recording is dropped; the send that
/// is under way goes on unharmed, and the body cannot be replayed any more.
///
/// A copy can be made only if it will surely yield the whole body: the limit has not been passed, the caller's body has not
/// failed, and no other living handle is in the middle of reading it.
/// A body whose [`size_hint`](Body::size_hint) starts above the limit is passed through and never copied.
///
/// # Errors
///
/// Errors of the caller's body are passed on. A handle adds one of its own only where yielding less than the whole body
/// would be the alternative: it had begun to read and a later handle has taken over the caller's body, or it was made
/// early and first read after the body had failed or passed the limit.
pub struct ReplayBody<B> {
    shared: Arc<Mutex<ReplayState<Pin<Box<B>>>>>,
    cursor: ReadPosition,
}

impl<B: Body> ReplayBody<B> {
    /// Wraps `body`, and keeps at most `cap` bytes of its data.
    pub fn new(body: B, cap: usize) -> Self {
        let hint = body.size_hint();
        let source = if body.is_end_stream() { None } else { Some(Box::pin(body)) };
        let limit = u64::try_from(cap).unwrap_or(u64::MAX);
        Self { shared: Arc::new(Mutex::new(ReplayState::new(source, hint, limit))), cursor: ReadPosition::default() }
    }
}

impl<B> ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Polls the caller's body, with no lock held, and puts it back.
    fn pull(&mut self, mut source: Pin<Box<B>>, cx: &mut Context<'_>) -> Polled {
        let polled = source.as_mut().poll_frame(cx).map(|frame| {
            frame.map(|frame| frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))))
        });
        let polled = polled.map_err(Into::into);
        let goes_on = match &polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => !frame.is_trailers() && !source.is_end_stream(),
            Poll::Ready(_) => false,
        };
        let (back, _ended) = if goes_on { (Some(source), None) } else { (None, Some(source)) };
        let (fault, effects) = lock(&self.shared).settle(&mut self.cursor, back, &polled, cx.waker());
        effects.run();
        fault.map_or(polled, |fault| Poll::Ready(Some(Err(fault.into()))))
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let (step, effects) = lock(&this.shared).next(&mut this.cursor, cx.waker());
        effects.run();
        match step {
            ReadStep::Yield(frame) => Poll::Ready(frame.map(Ok)),
            ReadStep::Fail(fault) => Poll::Ready(Some(Err(fault.into()))),
            ReadStep::Pull(source) => this.pull(source, cx),
            ReadStep::Wait => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.shared).is_end(&self.cursor)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.shared).size_hint(&self.cursor)
    }
}

impl<B> ReplayableBody for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn try_clone(&self) -> Option<Self> {
        let replayable = lock(&self.shared).is_replayable(&self.cursor);
        replayable.then(|| Self { shared: Arc::clone(&self.shared), cursor: ReadPosition::default() })
    }

    fn source_failed(&self) -> bool {
        lock(&self.shared).has_failed()
    }

    /// Passes the first recorded chunk to `read`.
    fn peek<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let first = lock(&self.shared).first_chunk();
        first.map(|first| read(&first))
    }
}

/// With the default limit of 1 MiB.
impl<B: Body + From<Bytes>> From<Bytes> for ReplayBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::new(B::from(bytes), DEFAULT_LIMIT)
    }
}

/// The default body, for layers that replace a body by an empty one.
impl<B: Body + Default> Default for ReplayBody<B> {
    fn default() -> Self {
        Self::new(B::default(), DEFAULT_LIMIT)
    }
}

impl<B> Drop for ReplayBody<B> {
    fn drop(&mut self) {
        let effects = lock(&self.shared).leave(&mut self.cursor);
        effects.run();
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

fn lock<S>(state: &Mutex<ReplayState<S>>) -> MutexGuard<'_, ReplayState<S>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
