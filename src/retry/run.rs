//! One request on its way through its attempts: everything but the polling.

use std::time::{Duration, Instant};

use http::{Request, Response};

use super::progress::{Go, Progress};
use super::rank::{Best, Rank};
use super::spare::Spare;
use crate::error::{BoxError, Error, ErrorKind};
use crate::replay::ReplayableBody;
use crate::verdict::{Kind, Verdict};

/// One request on its way: its progress, the copy that later attempts start from, and the best answer so far.
#[derive(Debug)]
pub(crate) struct Run<B, RB> {
    pub(super) progress: Progress,
    spare: Option<Spare<B>>,
    best: Best<Response<RB>>,
    last_error: Option<BoxError>,
}

/// What follows an attempt, with what it needs.
#[derive(Debug)]
pub(crate) enum Step<B, RB> {
    Return(Result<Response<RB>, BoxError>),
    Send(Request<B>),
    SendAt(Instant, Request<B>),
}

impl<B: ReplayableBody, RB> Run<B, RB> {
    pub(super) fn new(progress: Progress, spare: Option<Spare<B>>) -> Self {
        Self { progress, spare, best: Best::default(), last_error: None }
    }

    /// Decides what follows a result.
    pub(super) fn after(&mut self, result: Result<Response<RB>, BoxError>) -> Step<B, RB> {
        let judged = self.progress.judged(result.as_ref().err());
        if self.progress.settled_at_once(judged) {
            return Step::Return(result);
        }
        // A body is foreign code: it is asked before anything is locked.
        let next = match (&self.spare, judged) {
            (Some(spare), Some(verdict)) if !verdict.is_success() && !spare.caller_failed() => {
                spare.take(&self.progress.context)
            }
            _ => None,
        };
        let Some(next) = next else { return Step::Return(self.conclude(judged, result)) };
        let step = match self.progress.go() {
            Go::Return => return Step::Return(self.conclude(judged, result)),
            Go::Send => Step::Send(next),
            Go::SendAt(when) => Step::SendAt(when, next),
        };
        match result {
            Ok(response) => self.best.offer(Rank::of(judged), response),
            Err(error) => self.last_error = Some(error),
        }
        step
    }

    /// What the caller gets when the next attempt could not be begun.
    pub(super) fn give_up(&mut self, error: Option<BoxError>) -> Result<Response<RB>, BoxError> {
        let error = error.or_else(|| self.last_error.take()).unwrap_or_else(|| out_of_time().into());
        match self.best.take() {
            Some(mut response) => {
                self.progress.report(&mut response);
                Ok(response)
            }
            None => Err(error),
        }
    }

    /// The error of an attempt that took too long; the layers below settle it as a broken connection.
    pub(super) fn timed_out(&self, limit: Duration) -> BoxError {
        self.progress.context.call().judge(Verdict::new(Kind::Network));
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
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::AttemptTimeout, "the deadline passed before the service was ready for another attempt")
}
