//! Waits for the refresh of an expired token: until it is over, until the deadline, or until the attempt is given up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;

use super::attempt::{Awaited, acquire, model_of};
use super::body::LeaseBody;
use super::settle::is_limited;
use super::unavailable::refuse_or_answer;
use crate::clock;
use crate::context::{Attempt, RequestContext};
use crate::credentials::{CredentialId, Generation};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::{Acquired, Pool, RefreshOutcome, RequestView, Unavailable};
use crate::sync::oneshot;
use crate::sync::time::{Sleep, sleep_until};
use crate::tokens::refresh::RefreshError;
use crate::verdict::{Lost, Processed, Verdict};

/// The wait of one attempt, for one refresh after another.
///
/// Meanwhile the attempt log shows an open attempt with the credential that is being refreshed. If a layer above gives the
/// attempt up, it gives it a verdict, and the log then says that nothing was sent. In every other case the open attempt is
/// taken out of the log.
pub(super) struct Wait {
    pool: Pool,
    context: RequestContext,
    /// The number of the attempt that the log shows as open.
    attempt: Option<u32>,
    credential: CredentialId,
    done: oneshot::Receiver<RefreshOutcome>,
    /// How the refresh ended; `None` while it runs.
    over: Option<RefreshOutcome>,
    /// The refreshes that the attempt has waited for before.
    awaited: Awaited,
    /// Armed by the first poll that has to wait.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    pub(super) fn begin(
        pool: Pool,
        context: RequestContext,
        awaited: (CredentialId, Generation),
        done: oneshot::Receiver<RefreshOutcome>,
    ) -> Self {
        let credential = awaited.0.clone();
        let attempt = Some(context.call().open(awaited));
        Self { pool, context, attempt, credential, done, over: None, awaited: Awaited::default(), deadline: None }
    }

    /// Waits for the refresh of another credential as well.
    pub(super) fn again(&mut self, awaited: (CredentialId, Generation), done: oneshot::Receiver<RefreshOutcome>) {
        self.credential = awaited.0.clone();
        self.attempt = Some(self.context.call().open(awaited));
        (self.done, self.over) = (done, None);
    }

    pub(super) fn poll_refresh(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.over.is_none() {
            let over = ready!(Pin::new(&mut self.done).poll(cx));
            self.over = Some(over.unwrap_or_else(|_| Err(RefreshError::transient("the refresh was cut short"))));
        }
        Poll::Ready(())
    }

    /// Ready when the deadline of the request has passed.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(deadline) = self.context.deadline() else { return Poll::Pending };
        let timer = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| self.out_of_time())
    }

    /// Acquires a credential once the refresh is over, unless it is too late to begin an attempt.
    pub(super) fn go_on(&mut self) -> Result<Acquired, Error> {
        self.withdraw();
        if self.context.deadline().is_some_and(|deadline| deadline <= clock::now()) {
            return Err(self.out_of_time());
        }
        let is_refreshed = self.over.as_ref().is_some_and(Result::is_ok);
        self.awaited.add(self.credential.clone(), is_refreshed);
        acquire(&self.pool, &self.context, &self.awaited)
    }

    /// Ends the wait, as the request is sent.
    pub(super) fn end(self) -> RequestContext {
        self.context.clone()
    }

    /// What the request gets if there is no credential for it after the wait.
    pub(super) fn refuse_or_answer<B: Body>(&mut self, why: Unavailable) -> Result<Response<LeaseBody<B>>, BoxError> {
        refuse_or_answer(&self.pool, &self.context, why, self.over.take().and_then(Result::err))
    }

    fn out_of_time(&self) -> Error {
        let message = format!("the deadline passed while the token of {:?} was being refreshed", self.credential);
        Error::new(ErrorKind::AttemptTimeout, message)
    }

    /// Takes the open attempt out of the log. If a layer above has given it a verdict, it stays, and its number is returned.
    fn withdraw(&mut self) -> Option<u32> {
        let attempt = self.attempt.take()?;
        (!self.context.call().withdraw(attempt)).then_some(attempt)
    }

    /// Settles an attempt that a layer above has given up while it waited. Nothing was sent, so it says nothing about
    /// the credential, and going on with the next one costs nothing.
    #[cold]
    fn given_up(&self, number: u32) {
        let model = model_of(&self.pool, &self.context);
        let round: Vec<_> = self.context.call().round().cloned().collect();
        let of = |attempt: &Attempt, id: &CredentialId| attempt.credential.as_ref() == Some(id);
        let is_tried = |id: &CredentialId| round.iter().any(|attempt| of(attempt, id)) || self.awaited.in_vain(id);
        let request = RequestView {
            cooled_down: &|id| round.iter().any(|attempt| of(attempt, id) && is_limited(attempt)),
            ..RequestView::new(self.context.pin(), &is_tried, model.as_ref())
        };
        let next = self.pool.availability(&request);
        let mut call = self.context.call();
        let Some(attempt) = call.last_mut().filter(|attempt| attempt.number == number) else { return };
        let unsent = |verdict: Verdict| verdict.with_processed(Processed::No).with_lost(Lost::Unsent);
        attempt.verdict = attempt.verdict.map(unsent);
        attempt.next = Some(next);
        let timed_out = attempt.timed_out;
        // Listeners are foreign code, so nothing is locked while events are sent.
        drop(call);
        if let Some(timed_out) = timed_out {
            self.pool.timed_out(&self.credential, timed_out);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.withdraw() {
            self.given_up(number);
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("credential", &self.credential).finish_non_exhaustive()
    }
}
