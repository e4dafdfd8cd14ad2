//! One attempt: begun with a lease, and settled exactly once.

use std::sync::Arc;

use http::Response;

use super::settle::settle;
use super::unsettled::UnsettledAttempt;
use crate::context::{Plan, RequestContext, Used};
use crate::credentials::CredentialId;
use crate::error::{Error, ErrorKind};
use crate::pool::{Acquired, Choice, Lease, Pool, Remembered, RequestView, Unavailable};
use crate::verdict::{Scope, Verdict};

/// An attempt under way. Dropping it is a cancellation, which changes no health, unless a layer above has given it a verdict,
/// as the retry layer does when it takes too long.
#[derive(Debug)]
pub(super) struct OpenAttempt {
    context: RequestContext,
    lease: Option<Lease>,
}

/// Acquires a credential for an attempt, given the earlier attempts of the request and the refreshes that this one has waited
/// for.
pub(super) fn acquire(pool: &Pool, context: &RequestContext, awaited: &Awaited) -> Result<Acquired, Error> {
    let mut call = context.call();
    let first = call.len() == 0;
    if first && awaited.is_empty() && context.pin().is_none() {
        drop(call);
        // While single models cool, the active credential may not serve this request.
        if !pool.models().are_wanted()
            && let Some(lease) = pool.try_lease()
        {
            return Ok(Acquired::Lease(lease));
        }
        return ask(pool, context, Stay::default(), awaited, &Used::default(), 0);
    }
    let last = call.last().and_then(|attempt| attempt.credential.clone());
    let same = awaited.refreshed().cloned().or_else(|| last.filter(|_| call.plan == Plan::Same));
    let tried = call.used();
    let attempts = call.len();
    // The model of the last attempt was never named, so its failure is settled without a name.
    let unsettled = call.unsettled.take();
    // The pool may run a strategy, which is foreign code.
    drop(call);
    drop(unsettled);
    let bound = tried.len() >= pool.settings().most_attempts();
    ask(pool, context, Stay { on: same.as_ref(), bound }, awaited, &tried, attempts)
}

/// The credentials whose refresh an attempt has waited for, and whether each has a token now.
#[derive(Debug, Default)]
pub(super) struct Awaited(Vec<(CredentialId, bool)>);

impl Awaited {
    /// No refresh so far.
    pub(super) const NONE: &Self = &Self(Vec::new());

    pub(super) fn add(&mut self, credential: CredentialId, is_refreshed: bool) {
        self.0.push((credential, is_refreshed));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, id: &CredentialId) -> bool {
        self.0.iter().any(|(awaited, _)| awaited == id)
    }

    pub(super) fn in_vain(&self, id: &CredentialId) -> bool {
        self.0.iter().any(|(awaited, is_refreshed)| awaited == id && !is_refreshed)
    }

    /// The credential that has just got a new token.
    fn refreshed(&self) -> Option<&CredentialId> {
        self.0.last().filter(|(_, is_refreshed)| *is_refreshed).map(|(credential, _)| credential)
    }
}

/// The credential that a request would go on with.
#[derive(Default)]
struct Stay<'a> {
    on: Option<&'a CredentialId>,
    /// No other credential may take its place, because the request has used as many as it may.
    bound: bool,
}

fn ask(
    pool: &Pool,
    context: &RequestContext,
    stay: Stay<'_>,
    awaited: &Awaited,
    tried: &Used,
    attempts: usize,
) -> Result<Acquired, Error> {
    let model = model_of(pool, context);
    let bound = stay.on.filter(|_| stay.bound && context.pin().is_none());
    let is_tried = |id: &CredentialId| tried.contains(id) || awaited.in_vain(id);
    let request = RequestView {
        same: stay.on,
        awaited: &|id| awaited.contains(id),
        ..RequestView::new(context.pin().or(bound), &is_tried, model.as_ref())
    };
    let acquired = pool.acquire(&request, &Choice::new(attempts, context.group()));
    let Some(id) = bound else { return acquired };
    let gone = match acquired {
        Ok(Acquired::None(_)) => Ok(Acquired::None(Unavailable::Error(no_other(id)))),
        Err(error) if error.kind() == ErrorKind::UnknownCredential => Err(no_other(id)),
        acquired => return acquired,
    };
    context.call().cut_short = pool.is_ready_for(model.as_ref());
    gone
}

#[cold]
fn no_other(id: &CredentialId) -> Error {
    let message =
        format!("the credential {id:?} was removed or is cooling since, and maxAttempts allows the request no other");
    Error::new(ErrorKind::NoCredential, message)
}

/// The model that a request asks for, if a limit of a single model makes it matter. Empty while it is unknown.
pub(super) fn model_of(pool: &Pool, context: &RequestContext) -> Option<Arc<str>> {
    pool.models().are_wanted().then(|| context.model_name())
}

impl OpenAttempt {
    /// Begins an attempt, and sends an event if it is a failover.
    #[inline]
    pub(super) fn begin(context: RequestContext, lease: Lease) -> Self {
        let mut call = context.call();
        let last = call.last().map(|last| (last.credential.clone(), last.verdict));
        call.begin(Some((lease.credential().clone(), lease.generation())));
        drop(call);
        if let Some((Some(from), Some(verdict))) = last
            && from != *lease.credential()
        {
            lease.pool().failed_over(&from, &lease, &verdict);
        }
        Self { context, lease: Some(lease) }
    }

    pub(super) fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Settles an answer. `limits` are the events about limits from the beginning of its stream. A lease that it
    /// returns is to be held until the body ends.
    #[inline]
    pub(super) fn answered<B>(mut self, response: &Response<B>, limits: &[Box<[u8]>]) -> Option<Lease> {
        let lease = self.lease.take()?;
        let call = self.context.call();
        let verdict = call.last().and_then(|attempt| attempt.verdict);
        let unsuspected = call.suspect.is_none();
        drop(call);
        lease.heard(response.headers());
        limits.iter().for_each(|event| lease.heard_event(event));
        match verdict {
            Some(verdict) if verdict.is_success() && unsuspected => {
                lease.pool().succeeded(&lease, response.status(), || Some(self.context.model_name()));
                Some(lease)
            }
            Some(verdict) => self.judged(lease, verdict, response),
            None => Some(lease),
        }
    }

    /// Settles an answer that is not a plain success.
    #[cold]
    fn judged<B>(&self, lease: Lease, verdict: Verdict, response: &Response<B>) -> Option<Lease> {
        self.tell_time_limit(&lease);
        if verdict.scope() == Scope::Model && self.context.awaits_model() {
            let body = self.context.call().failed_body.clone();
            let answer = body.map(|body| Remembered::new(lease.credential().clone(), response, body));
            UnsettledAttempt::leave(&self.context, lease, verdict, answer);
            return None;
        }
        if lease.may_be_cooling() {
            let model = (verdict.scope() == Scope::Model).then(|| self.context.model_name());
            lease.pool().quota_seen(&lease, response.headers(), model.as_deref());
        }
        settle(&self.context, &lease, verdict, |id, body| Some(Remembered::new(id, response, body)));
        verdict.is_success().then_some(lease)
    }

    /// Settles an error.
    #[cold]
    pub(super) fn failed(mut self) {
        self.close();
    }

    /// Sends an event if a time limit cut the attempt short.
    fn tell_time_limit(&self, lease: &Lease) {
        let timed_out = self.context.call().last().and_then(|attempt| attempt.timed_out);
        if let Some(timed_out) = timed_out {
            lease.timed_out(timed_out);
        }
    }

    fn verdict(&self) -> Option<Verdict> {
        self.context.call().last().and_then(|attempt| attempt.verdict)
    }

    #[cold]
    fn close(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        self.tell_time_limit(&lease);
        match self.verdict() {
            Some(verdict) if verdict.scope() == Scope::Model && self.context.awaits_model() => {
                UnsettledAttempt::leave(&self.context, lease, verdict, None);
            }
            // There is no answer to remember.
            Some(verdict) => settle(&self.context, &lease, verdict, |_, _| None),
            None => {}
        }
    }
}

impl Drop for OpenAttempt {
    #[inline]
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.close();
        }
    }
}
