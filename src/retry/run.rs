//! One request on its way through its attempts: everything but the polling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};

use super::budget::Budget;
use super::decide::{Decision, Limits, Situation, decide};
use super::rank::{Best, Rank};
use super::spare::Spare;
use crate::clock;
use crate::context::{Plan, RequestContext};
use crate::error::{BoxError, Error, ErrorKind};
use crate::replay::ReplayableBody;
use crate::verdict::{Kind, Verdict};

/// What all requests through one layer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
}

#[derive(Debug)]
pub(crate) struct Run<B, RB> {
    pub(super) shared: Arc<Shared>,
    pub(super) context: RequestContext,
    spare: Option<Spare<B>>,
    idempotent: bool,
    sends: usize,
    waited: Duration,
    best: Best<Response<RB>>,
    last_error: Option<BoxError>,
}

/// What follows an attempt.
#[derive(Debug)]
pub(crate) enum Step<B, RB> {
    Return(Result<Response<RB>, BoxError>),
    /// Send this once the service is ready.
    Send(Request<B>),
    /// The same, but not before then.
    SendAt(Instant, Request<B>),
}

impl<B: ReplayableBody, RB> Run<B, RB> {
    pub(super) fn new(shared: Arc<Shared>, context: RequestContext, spare: Option<Spare<B>>, idempotent: bool) -> Self {
        Self {
            shared,
            context,
            spare,
            idempotent,
            sends: 1,
            waited: Duration::ZERO,
            best: Best::default(),
            last_error: None,
        }
    }

    /// Decides what follows a result.
    pub(super) fn after(&mut self, result: Result<Response<RB>, BoxError>) -> Step<B, RB> {
        let judged = self.judged(&result);
        let succeeded = judged.is_some_and(|verdict| verdict.is_success());
        if succeeded {
            self.shared.budget.earn();
            if self.sends == 1 {
                return Step::Return(result);
            }
        }
        // A body is foreign code: it is asked before anything is locked.
        let next = match (&self.spare, judged) {
            (Some(spare), Some(_)) if !succeeded && !spare.caller_failed() => spare.take(&self.context),
            _ => None,
        };
        let Some(next) = next else { return Step::Return(self.conclude(judged, result)) };
        let Some(step) = self.decide(next) else { return Step::Return(self.conclude(judged, result)) };
        match result {
            Ok(response) => self.best.offer(Rank::of(judged), response),
            Err(error) => self.last_error = Some(error),
        }
        step
    }

    /// The verdict on the last send. `None` where nothing was sent, because a layer below refused to.
    fn judged(&self, result: &Result<Response<RB>, BoxError>) -> Option<Verdict> {
        let mut call = self.context.call();
        if call.len() < self.sends {
            // No layer below has judged it: an answer is an answer, and a foreign error is a lost connection.
            let kind = match result {
                Ok(_) => Kind::Success,
                Err(error) if Error::find(&**error).is_none() => Kind::Network,
                Err(_) => return None,
            };
            call.judge(Verdict::new(kind));
        }
        call.last().and_then(|attempt| attempt.verdict)
    }

    /// What to do with a request for one more attempt; `None` if there is to be none.
    fn decide(&mut self, next: Request<B>) -> Option<Step<B, RB>> {
        let now = clock::now();
        let situation = Situation {
            now,
            deadline: self.context.deadline(),
            waited: self.waited,
            idempotent: self.idempotent,
            jitter: fastrand::f64(),
        };
        let mut call = self.context.call();
        let step = match decide(&self.shared.limits, &call, &situation, || self.shared.budget.spend()) {
            Decision::Stop => return None,
            Decision::Same(pause) => {
                call.plan = Plan::Same;
                if pause.is_zero() { Step::Send(next) } else { Step::SendAt(now + pause, next) }
            }
            Decision::Next => {
                call.plan = Plan::Next;
                Step::Send(next)
            }
            Decision::Wait(until) => {
                call.open_round();
                self.waited += until.saturating_duration_since(now);
                Step::SendAt(until, next)
            }
        };
        self.sends = call.len() + 1;
        Some(step)
    }

    /// What the caller gets when the next attempt could not be begun.
    pub(super) fn give_up(&mut self, error: Option<BoxError>) -> Result<Response<RB>, BoxError> {
        let error = error.or_else(|| self.last_error.take()).unwrap_or_else(|| out_of_time().into());
        match self.best.take() {
            Some(response) => Ok(self.report(response)),
            None => Err(error),
        }
    }

    /// The error of an attempt that took too long; the layers below settle it as a broken connection.
    pub(super) fn timed_out(&self, limit: Duration) -> BoxError {
        self.context.call().judge(Verdict::new(Kind::Network));
        Error::new(
            ErrorKind::AttemptTimeout,
            format!("no answer began within attemptTimeoutMs ({} ms)", limit.as_millis()),
        )
        .into()
    }

    fn conclude(
        &mut self,
        verdict: Option<Verdict>,
        result: Result<Response<RB>, BoxError>,
    ) -> Result<Response<RB>, BoxError> {
        match result {
            Ok(response) => {
                self.best.offer(Rank::of(verdict), response);
                self.give_up(None)
            }
            Err(error) => self.give_up(Some(error)),
        }
    }

    fn report(&self, mut response: Response<RB>) -> Response<RB> {
        response.extensions_mut().insert(self.context.clone());
        response
    }
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::AttemptTimeout, "the deadline passed before the service was ready for another attempt")
}
