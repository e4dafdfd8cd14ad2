//! Leads one request through its attempts: everything but the polling.

use http::{Request, Response};

use super::best::{Best, Rank};
use super::progress::{Go, Progress};
use super::spare::Spare;
use crate::error::{BoxError, Error, ErrorKind, TimedOut};
use crate::layers::replayable::ReplayableBody;
use crate::verdict::{Kind, Lost, Scope, Verdict};

/// One request on its way: its progress, the copy that later attempts start from, and the best answer so far.
#[derive(Debug)]
pub(crate) struct Run<B, RB> {
    pub(super) progress: Progress,
    spare: Option<Spare<B>>,
    /// The best answer so far, and whether it is a server error.
    best: Best<(Response<RB>, bool)>,
    last_error: Option<BoxError>,
}

impl<B: ReplayableBody, RB> Run<B, RB> {
    #[inline]
    pub(super) fn new(progress: Progress, spare: Option<Spare<B>>) -> Self {
        Self { progress, spare, best: Best::default(), last_error: None }
    }

    /// Handles the result of an attempt: returns when the next attempt follows, or what the caller gets.
    pub(super) fn after(
        &mut self,
        judged: Option<Verdict>,
        result: Result<Response<RB>, BoxError>,
    ) -> Result<Go, Result<Response<RB>, BoxError>> {
        let failed = judged.is_some_and(|verdict| !verdict.is_success());
        let is_server_error = judged.is_some_and(|verdict| verdict.is_server_error());
        if let (Some(Scope::Model), Some(spare)) = (judged.map(|verdict| verdict.scope()), &self.spare) {
            self.progress.settle_model(|models| spare.model(models));
        }
        // A body is foreign code, so it is asked before anything is locked.
        let go = if failed && self.spare.as_ref().is_some_and(Spare::is_whole) { self.progress.go() } else { None };
        match (go, result) {
            (None, Ok(response)) => {
                self.best.offer(Rank::of(judged), (response, is_server_error));
                Err(self.give_up(None))
            }
            (None, Err(error)) => Err(self.give_up(Some(error))),
            (Some(go), Ok(response)) => {
                self.best.offer(Rank::in_passing(judged), (response, is_server_error));
                Ok(go)
            }
            (Some(go), Err(error)) => {
                self.last_error = Some(error);
                Ok(go)
            }
        }
    }

    /// Names the model of a request whose stream begins: it may fail later, when the request is gone.
    #[cold]
    pub(super) fn name_model(&self) {
        if let Some(spare) = &self.spare {
            self.progress.name_model(|models| spare.model(models));
        }
    }

    /// The request for one more attempt.
    pub(super) fn next(&self) -> Option<Request<B>> {
        self.spare.as_ref()?.take(&self.progress.context)
    }

    /// What the caller gets when the next attempt could not be begun.
    pub(super) fn give_up(&mut self, error: Option<BoxError>) -> Result<Response<RB>, BoxError> {
        self.progress.end();
        match self.best.take() {
            Some((mut response, is_server_error)) => {
                self.progress.report(&mut response, is_server_error);
                Ok(response)
            }
            None => Err(error.or_else(|| self.last_error.take()).unwrap_or_else(|| out_of_time().into())),
        }
    }

    /// The error of an attempt that took too long; the layers below settle it as a broken connection.
    #[cold]
    pub(super) fn timed_out(&self, timed_out: TimedOut) -> BoxError {
        let mut call = self.progress.context.call();
        call.judge(Verdict::new(Kind::Network).with_lost(Lost::TimedOut));
        call.time_out(timed_out);
        Error::of_time_limit(timed_out).into()
    }
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::AttemptTimeout, "the deadline passed before the service was ready for another attempt")
}
