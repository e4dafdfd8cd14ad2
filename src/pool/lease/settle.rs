//! Settles an attempt: locks the state, applies the outcome, and sends the effects.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use super::Lease;
use crate::clock;
use crate::context::ending::Ending;
use crate::context::{Next, Suspect};
use crate::credentials::CredentialId;
use crate::pool::handle::Pool;
use crate::pool::state::{Outcome, ProbeTarget, Remembered, RequestView, Settled};
use crate::providers::quota::{Quota, Window, WindowScope};
use crate::verdict::{Scope, Verdict};

/// The shortest window of a quota that can mean a used-up quota. A shorter window belongs to a throttle.
const LONG_WINDOW: Duration = Duration::from_secs(60 * 60);

impl Pool {
    /// Settles an attempt that succeeded.
    #[inline]
    pub(crate) fn succeeded(&self, lease: &Lease, status: StatusCode, model: impl FnOnce() -> Option<Arc<str>>) {
        let slot = &lease.access().slot;
        slot.successes.fetch_add(1, Relaxed);
        slot.last_status.store(status.as_u16(), Relaxed);
        if slot.troubled.load(Relaxed) {
            self.end_cooldowns(lease, model());
        }
    }

    #[cold]
    fn end_cooldowns(&self, lease: &Lease, model: Option<Arc<str>>) {
        let effects = self.change(|state| state.end_cooldowns(lease.attempt(model.as_deref())));
        self.emit(effects);
    }

    /// Applies what the header fields of an answer over `lease` say about quotas; `model` is the model of its request. Called
    /// only while the credential may be cooling: only then is there a cooldown to end or a probe to postpone.
    pub(crate) fn quota_seen(&self, lease: &Lease, headers: &HeaderMap, model: Option<&str>) {
        self.weigh(lease, &Quota::read(headers, self.0.wall.now()), model);
    }

    /// Applies what an event inside of an answer over `lease` says about quotas. Such an event does not name the
    /// request's model.
    pub(crate) fn event_seen(&self, lease: &Lease, event: &[u8]) {
        if let Some(quota) = Quota::read_event(event, self.0.wall.now()) {
            self.weigh(lease, &quota, None);
        }
    }

    /// Applies the windows of a quota. Only windows of an hour and more say something about a used-up quota.
    fn weigh(&self, lease: &Lease, quota: &Quota, model: Option<&str>) {
        for (scope, limits) in [(Scope::Credential, WindowScope::Credential), (Scope::Model, WindowScope::Model)] {
            let is_long = |window: &&Window| window.length.is_some_and(|length| length >= LONG_WINDOW);
            let mut windows = quota.windows().iter().filter(|window| window.scope == limits).filter(is_long).peekable();
            if windows.peek().is_some() {
                let has_room = windows.all(|window| !window.exhausted);
                let (now, jitter) = (clock::now(), fastrand::f64());
                let effects = self.change(|state| state.quota_seen(lease.attempt(model), scope, has_room, now, jitter));
                self.emit(effects);
            }
        }
    }

    /// Settles an attempt that did not succeed. The caller [emits](Pool::emit) the effects, when it holds no lock.
    pub(crate) fn settle(&self, outcome: &Outcome<'_>) -> Settled {
        let mut state = self.state();
        let settled = state.settle(&self.0.settings, self.0.source.is_some(), clock::now(), outcome);
        self.reset_active(&state);
        self.unlock(state);
        if settled.effects.cooled.is_some() {
            self.watch_recovery();
        }
        settled
    }

    /// What comes next for a request whose attempt ended before anything was sent.
    pub(crate) fn availability(&self, request: &RequestView<'_>) -> Next {
        let now = clock::now();
        self.change(|state| state.availability(request, now))
    }

    /// Cools a suspect: a credential that was refused with 403, after another one was not.
    pub(crate) fn convict(&self, suspect: &Suspect) {
        let cooldown = self.0.settings.auth_failure_cooldown.min(self.0.settings.max_cooldown);
        let mut state = self.state();
        let effects = state.convict(cooldown, suspect, clock::now());
        self.reset_active(&state);
        self.unlock(state);
        self.emit(effects);
    }

    /// Keeps a failed answer, after which no credential was ready for this model.
    pub(crate) fn remember(&self, answer: Remembered, model: Option<&Arc<str>>) {
        self.state().remember(Arc::new(answer), model);
    }

    pub(crate) fn remembered(&self, model: Option<&Arc<str>>) -> Option<Arc<Remembered>> {
        self.state().remembered(model)
    }

    pub(super) fn probe_ended(&self, probe: &ProbeTarget, since: Instant) {
        self.state().end_probe(probe, since);
    }
}

/// Settles news about an answer that come after its head has gone to the caller.
impl Pool {
    /// Settles how a stream ended. Its success was counted when it began.
    pub(crate) fn stream_ended(&self, lease: &Lease, ending: Ending, model: impl FnOnce() -> Arc<str>) {
        match ending {
            Ending::Clean => {}
            Ending::Truncated => self.broke_off(lease),
            Ending::Failed(verdict) => self.failed_late(lease, verdict, model),
        }
    }

    /// Counts a failure, because a response that had begun broke off. Nothing else changes.
    pub(crate) fn broke_off(&self, lease: &Lease) {
        self.state().count_failure(&lease.access().slot);
    }

    /// Settles an error inside a response that had begun. It cannot be retried, so it counts only for later requests.
    fn failed_late(&self, lease: &Lease, verdict: Verdict, model: impl FnOnce() -> Arc<str>) {
        let model = (verdict.scope() == Scope::Model).then(model);
        let tried = |id: &CredentialId| id == lease.credential();
        let request = RequestView::new(None, &tried, model.as_ref());
        let (access, started) = (lease.access(), lease.started());
        let outcome = Outcome { access, started, verdict, request, jitter: fastrand::f64 };
        let settled = self.settle(&outcome);
        self.emit(settled.effects);
    }
}
