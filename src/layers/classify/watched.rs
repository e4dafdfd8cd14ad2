//! A body that ends with an error once it has been silent for too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::sync::time::Sleep;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::clock;
use crate::error::{BoxError, Error, TimeLimit};

pin_project! {
    /// The inner body, with its data as `Bytes` and its errors boxed. A silence that lasts too long ends it with an error.
    pub(crate) struct Watched<B> {
        // None once it has ended this way.
        #[pin]
        body: Option<B>,
        silence: Silence,
    }
}

/// The present silence of a body. It begins when the body is found pending, so a frame that is ready costs nothing.
struct Silence {
    limit: Option<Duration>,
    /// When the present silence is too long.
    until: Option<Instant>,
    /// One timer for the whole body. It may be set to an earlier time than `until`, and is then set again when it fires.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Watched<B> {
    #[inline]
    pub(super) fn new(body: B, limit: Option<Duration>) -> Self {
        Self { body: Some(body), silence: Silence { limit, until: None, timer: None } }
    }
}

impl Silence {
    /// Ready, with the limit, once the silence has lasted that long. Called while the body is pending.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(limit) = self.limit else { return Poll::Pending };
        if self.until.is_none() {
            self.until = clock::now().checked_add(limit);
        }
        let Some(until) = self.until else { return Poll::Pending };
        if self.timer.is_none() {
            self.timer = clock::timer(until);
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= until.into() {
                return Poll::Ready(limit);
            }
            timer.as_mut().reset(until.into());
        }
    }
}

impl<B> Body for Watched<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match body.poll_frame(cx) {
            Poll::Ready(frame) => {
                this.silence.until = None;
                Poll::Ready(frame.map(|frame| frame.map(bytes_of).map_err(Into::into)))
            }
            Poll::Pending => {
                let limit = ready!(this.silence.poll(cx));
                this.body.set(None);
                this.silence.timer = None;
                Poll::Ready(Some(Err(Error::of_time_limit(TimeLimit::StreamIdle.ran_out(limit)).into())))
            }
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}

/// The frame with its data as `Bytes`. Data that is `Bytes` already is not copied.
fn bytes_of<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
