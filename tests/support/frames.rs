//! A response body that comes frame by frame, as a test says.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use oauth_marathon::BoxError;
use tokio::time::Sleep;

#[derive(Clone)]
pub(crate) enum Step {
    Data(Bytes),
    /// The trailer `x-sum` of this value.
    Trailers(&'static str),
    Error,
    /// Not ready at the first poll.
    Yield,
    /// Not ready for this long.
    Pause(Duration),
    /// Never ready again.
    Stall,
}

/// Shorthand for text.
pub(crate) fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

pub(crate) struct Frames {
    steps: VecDeque<Step>,
    sized: bool,
    tells_its_end: bool,
    pause: Option<Pin<Box<Sleep>>>,
    taken: Arc<AtomicUsize>,
    held: Option<Arc<()>>,
}

impl Frames {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self { steps, sized: false, tells_its_end: false, pause: None, taken: Arc::default(), held: None }
    }

    /// States its length up front.
    pub(crate) fn sized(mut self) -> Self {
        self.sized = true;
        self
    }

    /// Says that it has ended as soon as its last frame was taken, as a body of known length does.
    pub(crate) fn telling_its_end(mut self) -> Self {
        self.tells_its_end = true;
        self
    }

    /// How many frames have been taken.
    pub(crate) fn taken(&self) -> Arc<AtomicUsize> {
        self.taken.clone()
    }

    /// Keeps a handle of the test's for as long as the body exists.
    pub(crate) fn holding(mut self, handle: Arc<()>) -> Self {
        self.held = Some(handle);
        self
    }

    pub(crate) fn answer(self, status: u16) -> Response<Self> {
        Response::builder().status(status).body(self).unwrap()
    }
}

pub(crate) fn trailers(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static(value))])
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            let frame = match this.steps.front() {
                None => return Poll::Ready(None),
                Some(Step::Stall) => return Poll::Pending,
                Some(Step::Yield) => {
                    this.steps.pop_front();
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Pause(time)) => {
                    this.pause = Some(Box::pin(tokio::time::sleep(*time)));
                    this.steps.pop_front();
                    continue;
                }
                Some(Step::Data(data)) => Ok(Frame::data(data.clone())),
                Some(Step::Trailers(value)) => Ok(Frame::trailers(trailers(value))),
                Some(Step::Error) => Err("the stream broke off".into()),
            };
            this.steps.pop_front();
            this.taken.fetch_add(1, SeqCst);
            return Poll::Ready(Some(frame));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_its_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
        let left = || SizeHint::with_exact(self.steps.iter().map(length).sum());
        if self.sized { left() } else { SizeHint::new() }
    }
}
