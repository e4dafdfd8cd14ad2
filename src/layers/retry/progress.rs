//! The progress of one request, and what follows an attempt: shared by the layer and by the policy for tower's own retry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::HeaderName;
use http::{HeaderValue, Request, Response, StatusCode};

use super::decide::{Decision, Limits, Situation, decide};
use super::spare::model_of;
use crate::clock;
use crate::config::Settings;
use crate::context::{Plan, RequestContext};
use crate::credentials::header::state_recovery;
use crate::error::{BoxError, Error};
use crate::events::{Event, Notifiers};
use crate::layers::replayable::ReplayableBody;
use crate::pool::Pool;
use crate::pool::budget::Budget;
use crate::providers::model::Models;
use crate::verdict::{Kind, Verdict};

/// The field that tells the official SDKs whether to send the request again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The `Retry-After` of an answer that ends a request while other credentials are ready.
const SOON: Duration = Duration::from_secs(1);

/// What all requests through one layer share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    /// Finds the model of requests, if limits of single models are kept below.
    pub(crate) models: Option<Models>,
    /// The pool's provider, and the notifiers that its events go to.
    events: Option<(Arc<str>, Notifiers)>,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { limits: Limits::new(settings), budget: Arc::default(), models: None, events: None }
    }

    pub(super) fn for_pool(pool: &Pool) -> Self {
        Self {
            limits: Limits::new(pool.settings()),
            budget: pool.budget().clone(),
            models: Some(pool.models().clone()),
            events: Some((pool.provider().into(), pool.notifiers().clone())),
        }
    }

    /// A copy that also names the models of requests.
    pub(super) fn with_models(&self, models: Models) -> Self {
        Self { models: Some(models), ..self.clone() }
    }

    /// Tells the layers below whether the request can be sent again. If it can, its model can still be named after a failure.
    #[inline]
    pub(super) fn offer(&self, context: &RequestContext, resendable: bool) {
        context.set_resendable(resendable);
        context.set_names_model(resendable && self.models.is_some());
    }

    /// Names the model of a request for the layers below, if a limit makes it matter now.
    #[inline]
    pub(super) fn tell_model<B: ReplayableBody>(&self, context: &RequestContext, request: &Request<B>) {
        if let Some(models) = self.models.as_ref().filter(|models| models.are_wanted()) {
            name_model(models, context, |models| model_of(models, request.uri(), request.headers(), request.body()));
        }
    }
}

/// Finds the model. A body and a model source are foreign code, so nothing is locked meanwhile.
#[cold]
fn name_model(models: &Models, context: &RequestContext, find: impl FnOnce(&Models) -> Option<Arc<str>>) {
    if context.model().is_none() && context.call().model.is_none() {
        let found = find(models);
        context.call().model = found;
    }
}

/// The progress of one request. What it may still do is decided from this and its context.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(super) shared: Arc<Shared>,
    pub(super) context: RequestContext,
    idempotent: bool,
    sends: usize,
    /// When the request first waited for a recovery.
    waiting_since: Option<Instant>,
    /// When its round began, or when the first failure of the round was handled. A request that succeeds at once reads no
    /// clock for this.
    round_began: Option<Instant>,
    /// The budget has refused a resend.
    refused: bool,
}

/// When another attempt follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// Once the service is ready.
    Now,
    /// Once the service is ready, but not before this time.
    At(Instant),
}

impl Progress {
    #[inline]
    pub(super) fn new(shared: Arc<Shared>, context: RequestContext, idempotent: bool) -> Self {
        Self { shared, context, idempotent, sends: 1, waiting_since: None, round_began: None, refused: false }
    }

    /// Tells the layers below that the request can be sent again.
    #[inline]
    pub(super) fn resendable(&self) {
        self.shared.offer(&self.context, true);
    }

    /// See [`Shared::tell_model`].
    #[inline]
    pub(super) fn tell_model<B: ReplayableBody>(&self, request: &Request<B>) {
        self.shared.tell_model(&self.context, request);
    }

    /// The verdict on the last send. `None` if nothing was sent, because a layer below refused to.
    #[inline]
    pub(super) fn judged(&self, error: Option<&BoxError>) -> Option<Verdict> {
        let mut call = self.context.call();
        if call.len() < self.sends || call.last().is_some_and(|attempt| attempt.verdict.is_none()) {
            // No layer below has judged it. An answer counts as a success, a foreign error as a lost connection.
            let kind = match error {
                None => Kind::Success,
                Some(error) if Error::find(&**error).is_none_or(Error::is_of_the_network) => Kind::Network,
                Some(_) => return None,
            };
            call.judge(Verdict::new(kind));
        }
        call.last().and_then(|attempt| attempt.verdict)
    }

    /// Whether the first send has succeeded.
    #[inline]
    pub(super) fn settled_at_once(&self, verdict: Option<Verdict>) -> bool {
        let succeeded = verdict.is_some_and(|verdict| verdict.is_success());
        if succeeded {
            self.shared.budget.earn();
        }
        succeeded && self.sends == 1
    }

    /// Names the model of a request for the layers below, as `find` finds it.
    pub(super) fn name_model(&self, find: impl FnOnce(&Models) -> Option<Arc<str>>) {
        if let Some(models) = &self.shared.models {
            name_model(models, &self.context, find);
        }
    }

    /// Settles a failure that waits for the name of the model.
    pub(super) fn settle_model(&self, find: impl FnOnce(&Models) -> Option<Arc<str>>) {
        let Some(unsettled) = self.context.call().unsettled.take() else { return };
        self.name_model(find);
        unsettled.settle(&self.context);
    }

    /// What to do with a request that can be sent once more. `None` if the answer stands.
    pub(super) fn go(&mut self) -> Option<Go> {
        let now = clock::now();
        let situation = Situation {
            now,
            deadline: self.context.deadline(),
            round_began: *self.round_began.get_or_insert(now),
            waited: self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            idempotent: self.idempotent,
            jitter: fastrand::f64(),
        };
        let mut call = self.context.call();
        let refused = &mut self.refused;
        let pay = || {
            let paid = self.shared.budget.spend(now);
            *refused |= !paid;
            paid
        };
        let after = |pause: Duration| if pause.is_zero() { Go::Now } else { Go::At(now + pause) };
        let go = match decide(&self.shared.limits, &call, &situation, pay) {
            Decision::Stop => return None,
            Decision::Enough => {
                call.cut_short = true;
                return None;
            }
            Decision::Same(pause) => {
                call.plan = Plan::Same;
                after(pause)
            }
            Decision::Next(pause) => {
                call.plan = Plan::Next;
                after(pause)
            }
            Decision::Wait(until) => {
                call.open_round();
                self.waiting_since.get_or_insert(now);
                self.round_began = Some(until);
                Go::At(until)
            }
        };
        self.sends = call.len() + 1;
        // A stream that has begun belongs to the attempt before.
        self.context.set_streams(false);
        Some(go)
    }

    /// Sends an event if the request ends although credentials are ready. Listeners are foreign code, so nothing is locked.
    #[cold]
    pub(super) fn end(&self) {
        let call = self.context.call();
        let (tried, status) = (call.used().len(), call.last().and_then(|attempt| attempt.verdict?.status()));
        let is_cut_short = call.cut_short;
        drop(call);
        if let Some((provider, events)) = self.shared.events.as_ref().filter(|_| is_cut_short) {
            events.emit(|| Event::AttemptsUsedUp { provider: provider.clone(), tried, status });
        }
    }

    /// Adds the report of all attempts to an answer with this verdict, and the fields that tell the caller's own retries what
    /// to do.
    #[cold]
    pub(super) fn report<RB>(&self, response: &mut Response<RB>, is_server_error: bool) {
        let call = self.context.call();
        let (is_cut_short, resent) = (call.cut_short, self.refused || call.was_resent_after_server_error());
        drop(call);
        if is_cut_short {
            state_recovery(response.headers_mut(), Some(SOON));
        }
        if is_server_error && resent && response.status() >= StatusCode::BAD_REQUEST {
            // The caller's retries must not multiply the resends of this layer.
            response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        response.extensions_mut().insert(self.context.clone());
    }
}
