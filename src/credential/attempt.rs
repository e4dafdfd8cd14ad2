//! One attempt: begun with a lease, and settled exactly once.

use std::sync::Arc;

use http::{Response, StatusCode};

use super::late::Late;
use crate::account::CredentialId;
use crate::context::{Attempt, Next, Plan, RequestContext, Suspect};
use crate::error::Error;
use crate::pool::{Acquired, Ask, Choice, Lease, Outcome, Pool, Remembered, Request, Settled};
use crate::verdict::{Kind, Scope, Verdict};

/// An attempt under way. Dropped, it is a cancellation, which changes no health; unless a layer above has judged it, as it
/// does when it takes too long.
#[derive(Debug)]
pub(super) struct OpenAttempt {
    context: RequestContext,
    lease: Option<Lease>,
}

/// Asks the pool for a credential, by what the request has been through.
pub(super) fn acquire(
    pool: &Pool,
    context: &RequestContext,
    renewed: Option<&CredentialId>,
) -> Result<Acquired, Error> {
    let mut call = context.call();
    let first = call.len() == 0;
    if first && renewed.is_none() && context.pin().is_none() {
        drop(call);
        // While limits of single models are in force, the active one may not be for this request.
        if !pool.models().are_wanted()
            && let Some(lease) = pool.try_lease()
        {
            return Ok(Acquired::Lease(lease));
        }
        return ask(pool, context, None, None, &Tried::default(), 0);
    }
    let last = call.last().and_then(|attempt| attempt.credential.clone());
    let same = renewed.cloned().or_else(|| last.filter(|_| call.plan == Plan::Same));
    let tried = Tried::of(call.round().filter_map(|attempt| attempt.credential.as_ref()));
    let attempts = call.len();
    // Nobody has told the model of the attempt before.
    let unsettled = call.unsettled.take();
    // The pool may run a strategy, which is foreign code.
    drop(call);
    drop(unsettled);
    ask(pool, context, same.as_ref(), renewed, &tried, attempts)
}

fn ask(
    pool: &Pool,
    context: &RequestContext,
    same: Option<&CredentialId>,
    renewed: Option<&CredentialId>,
    tried: &Tried,
    attempts: usize,
) -> Result<Acquired, Error> {
    let model = model_of(pool, context);
    let ask = Ask {
        pin: context.pin(),
        same,
        tried: &|id| tried.contains(id),
        model: model.as_ref(),
        when_all_cooling: pool.settings().when_all_cooling,
    };
    pool.acquire(&ask, &Choice::new(attempts, context.group()), renewed)
}

/// The model that a request asks for, where it matters.
pub(super) fn model_of(pool: &Pool, context: &RequestContext) -> Option<Arc<str>> {
    pool.models().are_wanted().then(|| context.model_name())
}

/// The credentials that a request has used. A few of them take no allocation.
#[derive(Default)]
struct Tried {
    few: [Option<CredentialId>; 4],
    more: Vec<CredentialId>,
}

impl Tried {
    fn of<'a>(ids: impl Iterator<Item = &'a CredentialId>) -> Self {
        let mut tried = Self::default();
        for (at, id) in ids.enumerate() {
            match tried.few.get_mut(at) {
                Some(place) => *place = Some(id.clone()),
                None => tried.more.push(id.clone()),
            }
        }
        tried
    }

    fn contains(&self, id: &CredentialId) -> bool {
        self.few.iter().flatten().chain(&self.more).any(|tried| tried == id)
    }
}

impl OpenAttempt {
    /// Begins an attempt, and tells people if the request has switched.
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

    /// Settles an answer; `limits` are the events about limits that its stream has begun with. A lease that comes back is held
    /// until the body ends.
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
            }
            Some(verdict) if verdict.scope() == Scope::Model && self.context.awaits_model() => {
                let body = self.context.call().failed_body.clone();
                let answer = body.map(|body| Remembered::new(lease.credential().clone(), response, body));
                Late::leave(&self.context, lease, verdict, answer);
                return None;
            }
            Some(verdict) => {
                if lease.rests() {
                    let model = (verdict.scope() == Scope::Model).then(|| self.context.model_name());
                    lease.pool().quota_seen(&lease, response.headers(), model.as_deref());
                }
                settle(&self.context, &lease, verdict, |id, body| Some(Remembered::new(id, response, body)));
            }
            None => {}
        }
        let failed = verdict.is_some_and(|verdict| !verdict.is_success());
        (!failed).then_some(lease)
    }

    /// Settles an error.
    pub(super) fn failed(mut self) {
        self.close();
    }

    fn verdict(&self) -> Option<Verdict> {
        self.context.call().last().and_then(|attempt| attempt.verdict)
    }

    fn close(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        match self.verdict() {
            Some(verdict) if verdict.scope() == Scope::Model && self.context.awaits_model() => {
                Late::leave(&self.context, lease, verdict, None);
            }
            // There is no answer to remember.
            Some(verdict) => settle(&self.context, &lease, verdict, |_, _| None),
            None => {}
        }
    }
}

/// Settles an attempt that was judged.
pub(super) fn settle(
    context: &RequestContext,
    lease: &Lease,
    verdict: Verdict,
    remember: impl FnOnce(CredentialId, bytes::Bytes) -> Option<Remembered>,
) {
    let pool = lease.pool();
    let about_model = verdict.scope() == Scope::Model || pool.models().are_wanted();
    let model = about_model.then(|| context.model_name());
    let mut call = context.call();
    // An answer that shows the request itself to be fine, or at fault on its own, convicts who refused it.
    if matches!(verdict.kind(), Kind::Success | Kind::Rejected)
        && let Some(suspect) = call.suspect.take_if(|suspect| suspect.credential != *lease.credential())
    {
        drop(call);
        pool.convict(&suspect);
        call = context.call();
    }
    if verdict.is_success() {
        drop(call);
        return pool.succeeded(lease, verdict.status().unwrap_or(StatusCode::OK), || Some(context.model_name()));
    }
    let id = lease.credential();
    let is_tried = |other: &CredentialId| call.round().any(|attempt| attempt.credential.as_ref() == Some(other));
    let has_rested = |other: &CredentialId| {
        call.round().any(|attempt| attempt.credential.as_ref() == Some(other) && is_limited(attempt))
    };
    let network = call.times(Some(id), |kind| kind == Kind::Network);
    let renewed = |attempt: &Attempt| attempt.credential.as_ref() == Some(id) && attempt.next == Some(Next::Same);
    let outcome = Outcome {
        access: lease.access(),
        started: lease.started(),
        verdict,
        request: Request {
            pin: context.pin(),
            tried: &is_tried,
            model: model.as_ref(),
            rested: &has_rested,
            renewed: call.round().any(renewed),
            refused_elsewhere: call.suspect.as_ref().is_some_and(|suspect| suspect.credential != *id),
            last_try: !context.is_resendable() || network > pool.settings().network_retry_attempts as usize,
        },
        jitter: fastrand::f64,
    };
    let Settled { next, suspect, dry, effects } = pool.settle(&outcome);
    let generation = lease.generation();
    if suspect {
        call.suspect = Some(Suspect { credential: id.clone(), generation, verdict });
    }
    if let Some(attempt) = call.last_mut() {
        attempt.next = next;
    }
    let worth_keeping = dry && verdict.status().is_some() && !matches!(verdict.kind(), Kind::Rejected | Kind::Canceled);
    let body = call.failed_body.take().filter(|_| worth_keeping);
    // Listeners are foreign code: nothing is locked while they are told.
    drop(call);
    pool.emit(effects);
    if let Some(answer) = body.and_then(|body| remember(lease.credential().clone(), body)) {
        pool.remember(answer, model.as_ref());
    }
}

/// Whether the attempt's credential had to rest for a time.
fn is_limited(attempt: &Attempt) -> bool {
    attempt.verdict.is_some_and(|verdict| matches!(verdict.kind(), Kind::Throttled | Kind::QuotaExhausted))
}

impl Drop for OpenAttempt {
    #[inline]
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.close();
        }
    }
}
