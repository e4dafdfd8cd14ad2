//! Settles an attempt that has a verdict: with the pool, and in the context for the layers above.

use http::StatusCode;

use crate::context::{Attempt, Next, RequestContext, Suspect};
use crate::credentials::CredentialId;
use crate::pool::{Lease, Outcome, Remembered, RequestView, Settled};
use crate::verdict::{Kind, Scope, Verdict};

/// Settles an attempt that has a verdict.
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
    // This answer shows that the 403 of an earlier credential concerned that credential alone, so the suspect is cooled.
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
    let tried = call.used();
    let is_tried = |other: &CredentialId| tried.contains(other);
    let has_cooled = |other: &CredentialId| {
        call.round().any(|attempt| attempt.credential.as_ref() == Some(other) && is_limited(attempt))
    };
    // The attempts of one credential in a round follow each other.
    let is_use = |attempt: &&Attempt| attempt.credential.as_ref() == Some(id);
    let is_refreshed = call.round().rev().take_while(is_use).any(|attempt| attempt.next == Some(Next::Same));
    let outcome = Outcome {
        access: lease.access(),
        started: lease.started(),
        verdict,
        request: RequestView {
            cooled_down: &has_cooled,
            is_refreshed,
            is_refused_elsewhere: call.suspect.as_ref().is_some_and(|suspect| suspect.credential != *id),
            is_resendable: context.is_resendable()
                && (verdict.kind() != Kind::Network
                    || !call.has_spent_network_resends(pool.settings().network_retry_attempts as usize)),
            ..RequestView::new(context.pin(), &is_tried, model.as_ref())
        },
        jitter: fastrand::f64,
    };
    let Settled { next, next_serves, suspect, dry, effects } = pool.settle(&outcome);
    let generation = lease.generation();
    if suspect {
        call.suspect = Some(Suspect { credential: id.clone(), generation, verdict });
    }
    if let Some(attempt) = call.last_mut() {
        attempt.next = next;
    }
    call.next_serves = next_serves;
    let worth_keeping = dry && verdict.status().is_some() && !matches!(verdict.kind(), Kind::Rejected | Kind::Canceled);
    let body = call.failed_body.take().filter(|_| worth_keeping);
    // Listeners are foreign code, so nothing is locked while events are sent.
    drop(call);
    pool.emit(effects);
    if let Some(answer) = body.and_then(|body| remember(lease.credential().clone(), body)) {
        pool.remember(answer, model.as_ref());
    }
}

/// Whether the attempt made its credential cool for a time.
pub(super) fn is_limited(attempt: &Attempt) -> bool {
    attempt.verdict.is_some_and(|verdict| matches!(verdict.kind(), Kind::Throttled | Kind::QuotaExhausted))
}
