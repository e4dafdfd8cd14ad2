//! How far one request is, and what follows an attempt: shared by the layer and by the policy for tower's own retry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};

use super::budget::Budget;
use super::decide::{Decision, Limits, Situation, decide};
use crate::clock;
use crate::config::Settings;
use crate::context::{Plan, RequestContext};
use crate::error::{BoxError, Error};
use crate::model::Models;
use crate::replay::ReplayableBody;
use crate::verdict::{Kind, Verdict};

/// What all requests through one layer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// Finds the model of requests, if limits of single models are kept below.
    pub(crate) models: Option<Models>,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { limits: Limits::new(settings), budget: Budget::default(), models: None }
    }

    /// The same limits, with a budget of its own.
    pub(super) fn with_models(&self, models: Models) -> Self {
        Self { limits: self.limits.clone(), budget: Budget::default(), models: Some(models) }
    }

    /// Says to the layers below whether the request can be sent again, and with it whether its model can be told after a
    /// failure.
    #[inline]
    pub(super) fn offer(&self, context: &RequestContext, resendable: bool) {
        context.set_resendable(resendable);
        context.set_names_model(resendable && self.models.is_some());
    }

    /// Tells the layers below the model of a request, where a limit makes it matter now.
    #[inline]
    pub(super) fn tell_model<B: ReplayableBody>(&self, context: &RequestContext, request: &Request<B>) {
        if let Some(models) = self.models.as_ref().filter(|models| models.are_wanted()) {
            name_model(models, context, |models| models.find(request.uri(), request.headers(), request.body()));
        }
    }
}

/// A body and a source are foreign code: nothing is locked while they are asked.
#[cold]
fn name_model(models: &Models, context: &RequestContext, find: impl FnOnce(&Models) -> Option<Arc<str>>) {
    if context.model().is_none() && context.call().model.is_none() {
        let found = find(models);
        context.call().model = found;
    }
}

/// How far one request is: what it may still do is decided from this and its context.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(super) shared: Arc<Shared>,
    pub(super) context: RequestContext,
    idempotent: bool,
    sends: usize,
    /// Since when it waits for recoveries, with what it tried between them.
    waiting_since: Option<Instant>,
}

/// How another attempt follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// Once the service is ready.
    Now,
    /// The same, but not before then.
    At(Instant),
}

impl Progress {
    #[inline]
    pub(super) fn new(shared: Arc<Shared>, context: RequestContext, idempotent: bool) -> Self {
        Self { shared, context, idempotent, sends: 1, waiting_since: None }
    }

    /// Says to the layers below that the request can be sent again.
    #[inline]
    pub(super) fn resendable(&self) {
        self.shared.offer(&self.context, true);
    }

    /// See [`Shared::tell_model`].
    #[inline]
    pub(super) fn tell_model<B: ReplayableBody>(&self, request: &Request<B>) {
        self.shared.tell_model(&self.context, request);
    }

    /// The verdict on the last send. `None` where nothing was sent, because a layer below refused to.
    #[inline]
    pub(super) fn judged(&self, error: Option<&BoxError>) -> Option<Verdict> {
        let mut call = self.context.call();
        if call.len() < self.sends || call.last().is_some_and(|attempt| attempt.verdict.is_none()) {
            // No layer below has judged it: an answer is an answer, and a foreign error is a lost connection.
            let kind = match error {
                None => Kind::Success,
                Some(error) if Error::find(&**error).is_none_or(Error::is_of_the_network) => Kind::Network,
                Some(_) => return None,
            };
            call.judge(Verdict::new(kind));
        }
        call.last().and_then(|attempt| attempt.verdict)
    }

    /// Whether it is the first send, and went well.
    #[inline]
    pub(super) fn settled_at_once(&self, verdict: Option<Verdict>) -> bool {
        let succeeded = verdict.is_some_and(|verdict| verdict.is_success());
        if succeeded {
            self.shared.budget.earn();
        }
        succeeded && self.sends == 1
    }

    /// Tells the layers below the model of a request, which `find` finds.
    pub(super) fn name_model(&self, find: impl FnOnce(&Models) -> Option<Arc<str>>) {
        if let Some(models) = &self.shared.models {
            name_model(models, &self.context, find);
        }
    }

    /// Lets a failure be settled that waits for the name of the model.
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
            waited: self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            idempotent: self.idempotent,
            jitter: fastrand::f64(),
        };
        let mut call = self.context.call();
        let go = match decide(&self.shared.limits, &call, &situation, || self.shared.budget.spend()) {
            Decision::Stop => return None,
            Decision::Same(pause) => {
                call.plan = Plan::Same;
                if pause.is_zero() { Go::Now } else { Go::At(now + pause) }
            }
            Decision::Next => {
                call.plan = Plan::Next;
                Go::Now
            }
            Decision::Wait(until) => {
                call.open_round();
                self.waiting_since.get_or_insert(now);
                Go::At(until)
            }
        };
        self.sends = call.len() + 1;
        Some(go)
    }

    /// Adds the report of all attempts to an answer.
    pub(super) fn report<RB>(&self, response: &mut Response<RB>) {
        response.extensions_mut().insert(self.context.clone());
    }
}
