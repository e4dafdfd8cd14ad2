use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::progress::Go;
use super::run::Run;
use crate::clock;
use crate::error::{BoxError, TimeLimit};
use crate::layers::replayable::ReplayableBody;
use crate::sync::time::Sleep;

pin_project! {
    /// The future of [`Retry`](super::Retry).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, RB>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future>,
        service: S,
        run: Run<B, RB>,
        // The timer of the attempt, of a wait or of the deadline. An attempt that is answered at its first poll has none.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling {
            #[pin]
            attempt: F,
        },
        Waiting,
        Readying,
    }
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<B>>,
    B: ReplayableBody,
{
    #[inline(always)]
    pub(super) fn new(attempt: S::Future, service: S, run: Run<B, RB>) -> Self {
        Self { state: State::Calling { attempt }, service, run, timer: None }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>, Response = Response<RB>>,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
{
    type Output = Result<Response<RB>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Calling { attempt } => {
                    let (judged, result) = match attempt.poll(cx) {
                        Poll::Ready(Ok(response)) => {
                            let judged = this.run.progress.judged(None);
                            if this.run.progress.context.streams() {
                                this.run.name_model();
                            }
                            if this.run.progress.settled_at_once(judged) {
                                return Poll::Ready(Ok(response));
                            }
                            (judged, Ok(response))
                        }
                        Poll::Ready(Err(error)) => {
                            let error = error.into();
                            (this.run.progress.judged(Some(&error)), Err(error))
                        }
                        Poll::Pending => {
                            let Some(limit) = this.run.progress.shared.limits.attempt_timeout else {
                                return Poll::Pending;
                            };
                            if this.timer.is_none() {
                                *this.timer = clock::now().checked_add(limit).and_then(clock::timer);
                            }
                            ready!(poll_timer(this.timer, cx));
                            // The head has come, and the layer below bounds how long it is held.
                            if this.run.progress.context.streams() {
                                return Poll::Pending;
                            }
                            let error = this.run.timed_out(TimeLimit::Attempt.ran_out(limit));
                            (this.run.progress.judged(Some(&error)), Err(error))
                        }
                    };
                    // The attempt is over or given up. Its future is dropped before the next attempt is prepared.
                    this.state.set(State::Readying);
                    match this.run.after(judged, result) {
                        Err(result) => return Poll::Ready(result),
                        Ok(Go::Now) => *this.timer = this.run.progress.context.deadline().and_then(clock::timer),
                        Ok(Go::At(when)) => {
                            let Some(timer) = clock::timer(when) else {
                                // Outside of a runtime there are no timers: the best answer so far is returned.
                                return Poll::Ready(this.run.give_up(None));
                            };
                            *this.timer = Some(timer);
                            this.state.set(State::Waiting);
                        }
                    }
                }
                StateProj::Waiting => {
                    ready!(poll_timer(this.timer, cx));
                    *this.timer = this.run.progress.context.deadline().and_then(clock::timer);
                    this.state.set(State::Readying);
                }
                StateProj::Readying => {
                    match this.service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(this.run.give_up(Some(error.into()))),
                        Poll::Pending => {
                            ready!(poll_timer(this.timer, cx));
                            return Poll::Ready(this.run.give_up(None));
                        }
                    }
                    let Some(request) = this.run.next() else { return Poll::Ready(this.run.give_up(None)) };
                    *this.timer = None;
                    let attempt = this.service.call(request);
                    this.state.set(State::Calling { attempt });
                }
            }
        }
    }
}

/// Polls the timer. Without one it is pending for ever.
fn poll_timer(timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
    match timer {
        Some(timer) => timer.as_mut().poll(cx),
        None => Poll::Pending,
    }
}

impl<S, B, RB> fmt::Debug for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("retry::ResponseFuture")
    }
}
