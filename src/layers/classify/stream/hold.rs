//! Holds a stream back until its first event that means something, and then hands it on as it came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::sync::time::Sleep;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project_lite::pin_project;

use super::format::Format;
use super::frame::Frame;
use super::track::{Phase, Rules, Track};
use crate::clock;
use crate::context::ending::StreamNews;
use crate::error::{BoxError, Error, TimedOut};
use crate::layers::classify::judge::Judge;
use crate::layers::classify::read;
use crate::layers::classify::watched::Watched;
use crate::verdict::{Answer, Verdict};

/// The most bytes that are held. It is this much because some providers repeat the whole prompt in their first event.
pub(super) const BYTES: usize = 256 * 1024;

pin_project! {
    /// The body of an answer that streams: held at first, then running. It is boxed for all of its life.
    ///
    /// It is held until its first content, until an error, or until a bound is reached: 256 KiB, 64 events without content, or
    /// the time that is set, from the head on. After an error it is read to its end like any failed answer. Then it runs: what
    /// was held goes out first, in the pieces in which it came; what follows passes through and is only searched.
    pub(crate) struct Stream<B> {
        #[pin]
        body: Watched<B>,
        head: Option<Parts>,
        // The verdict on the answer if its stream shows no failure.
        good: Verdict,
        held: VecDeque<Bytes>,
        held_bytes: usize,
        track: Track,
        judge: HeadJudge,
        end: Option<StreamEnd>,
        wait: HoldTimer,
        news: StreamNews,
    }
}

/// How the body ended, with the trailers or the error that are still to be passed on.
enum StreamEnd {
    Complete(Option<HeaderMap>),
    Failed(Option<BoxError>),
}

/// How long the head of a stream may be held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) time: Duration,
    /// The hold ends at this time even if `time` has not passed.
    pub(crate) deadline: Option<Instant>,
}

/// A timer that is armed at the first poll that has to wait.
struct HoldTimer {
    patience: Patience,
    /// The stream has failed, and is only read to its end.
    drains: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Asks the classifiers about an error, together with the head of its answer, and passes events about limits on.
struct HeadJudge {
    judge: Arc<Judge>,
    status: StatusCode,
    headers: HeaderMap,
    news: StreamNews,
}

impl<B> Stream<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(
        head: Parts,
        body: Watched<B>,
        format: Format,
        good: Verdict,
        patience: Patience,
        judge: Arc<Judge>,
    ) -> Self {
        let news = StreamNews::default();
        let judge = HeadJudge { judge, status: head.status, headers: head.headers.clone(), news: news.clone() };
        let mut track = Track::new(format);
        if patience.time.is_zero() {
            track.begin();
        }
        let wait = HoldTimer { patience, drains: false, timer: None };
        Self { body, head: Some(head), good, held: VecDeque::new(), held_bytes: 0, track, judge, end: None, wait, news }
    }

    /// Ready with the verdict once the stream has begun, failed or ended.
    pub(crate) fn poll_begin(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let mut this = self.project();
        loop {
            match this.track.phase() {
                Phase::Begun | Phase::Over(_) => break,
                // A failed answer is read to its end: that frees the connection, and leaves a whole answer to return.
                Phase::Failed(_) if this.end.is_some() || *this.held_bytes > BYTES => break,
                Phase::Silent if *this.held_bytes > BYTES => this.track.begin(),
                phase => match this.body.as_mut().poll_frame(cx) {
                    Poll::Pending => {
                        ready!(this.wait.poll(cx));
                        if phase == Phase::Silent { this.track.begin() } else { break }
                    }
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => {
                            this.track.feed(&data, this.judge);
                            *this.held_bytes += data.len();
                            if !data.is_empty() {
                                this.held.push_back(data);
                            }
                            if this.body.is_end_stream() {
                                *this.end = Some(StreamEnd::Complete(None));
                                this.track.finish(this.judge);
                            }
                        }
                        // Nothing follows trailers (RFC 9110 section 6.5).
                        Err(frame) => {
                            *this.end = Some(StreamEnd::Complete(frame.into_trailers().ok()));
                            this.track.finish(this.judge);
                        }
                    },
                    Poll::Ready(None) => {
                        *this.end = Some(StreamEnd::Complete(None));
                        this.track.finish(this.judge);
                    }
                    Poll::Ready(Some(Err(error))) => {
                        *this.end = Some(StreamEnd::Failed(Some(error)));
                        this.track.break_off();
                    }
                },
            }
            if matches!(this.track.phase(), Phase::Failed(_)) {
                this.wait.drain();
            }
        }
        this.wait.timer = None;
        tell(this.track, this.news);
        Poll::Ready(match this.track.phase() {
            Phase::Failed(verdict) => verdict,
            _ => *this.good,
        })
    }

    /// The head, and the news that report what comes after it.
    pub(crate) fn take_head(self: Pin<&mut Self>) -> Option<(Parts, StreamNews)> {
        let this = self.project();
        this.head.take().map(|head| (head, this.news.clone()))
    }

    /// The time limit that ended the stream before it had begun, if one did.
    pub(crate) fn timed_out(&self) -> Option<TimedOut> {
        match &self.end {
            Some(StreamEnd::Failed(Some(error))) => Error::find(&**error)?.timed_out(),
            _ => None,
        }
    }

    /// How many bytes are held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(crate) fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if let Some(data) = this.held.pop_front() {
            *this.held_bytes -= data.len();
            return Poll::Ready(Some(Ok(BodyFrame::data(data))));
        }
        match this.end {
            Some(StreamEnd::Complete(trailers)) => {
                return Poll::Ready(trailers.take().map(|trailers| Ok(BodyFrame::trailers(trailers))));
            }
            Some(StreamEnd::Failed(error)) => return Poll::Ready(error.take().map(Err)),
            None => {}
        }
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.track.feed(data, this.judge);
                }
                // A reader that knows the length does not poll for the end.
                if frame.is_trailers() || this.body.is_end_stream() {
                    this.track.finish(this.judge);
                }
            }
            None => this.track.finish(this.judge),
            Some(Err(_)) => this.track.break_off(),
        }
        tell(this.track, this.news);
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.held.is_empty()
            && match &self.end {
                Some(StreamEnd::Complete(trailers)) => trailers.is_none(),
                Some(StreamEnd::Failed(error)) => error.is_none(),
                None => self.body.is_end_stream(),
            }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let held = self.held_bytes as u64;
        let rest = match &self.end {
            Some(StreamEnd::Complete(_)) => return SizeHint::with_exact(held),
            // The full length is unknown, and the length of the bytes that came would make the body look whole.
            Some(StreamEnd::Failed(Some(_))) => SizeHint::new(),
            Some(StreamEnd::Failed(None)) => SizeHint::with_exact(0),
            None => self.body.size_hint(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[inline]
fn tell(track: &Track, news: &StreamNews) {
    if let Some(ending) = track.ending() {
        news.end(*ending);
    }
}

impl HoldTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.is_none() {
            let Patience { time, deadline } = self.patience;
            let end = clock::now().checked_add(time);
            self.timer = end.into_iter().chain(deadline).min().and_then(clock::timer);
        }
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }

    /// Starts the timer again, to bound the reading of a failed answer to its end.
    fn drain(&mut self) {
        if !self.drains {
            *self = Self { patience: Patience { time: read::TIME, deadline: None }, drains: true, timer: None };
        }
    }
}

impl Rules for HeadJudge {
    fn error(&self, frame: &Frame<'_>) -> Option<Verdict> {
        let answer =
            Answer::new(self.status, &self.headers, self.judge.clock.now()).with_body(frame.data, frame.is_whole);
        let event = std::str::from_utf8(frame.event).ok().filter(|event| !event.is_empty());
        let verdict = self.judge.in_stream(&answer, event);
        (!verdict.is_success()).then_some(verdict)
    }

    fn limits(&self, event: &[u8]) {
        self.news.tell_limits(event);
    }
}
