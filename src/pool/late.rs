//! Settles what happens to an answer after its head has gone to the caller.

use std::sync::Arc;

use super::handle::Pool;
use super::lease::Lease;
use super::state::settle::{Outcome, Request};
use crate::clock;
use crate::context::ending::Ending;
use crate::verdict::{Scope, Verdict};

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
        let mut state = self.state();
        if let Some(entry) = state.owner(&lease.access().slot) {
            entry.failures += 1;
            entry.last_failure = Some(clock::now());
        }
    }

    /// Settles an error inside a response that had begun. It cannot be retried, so it counts only for later requests.
    fn failed_late(&self, lease: &Lease, verdict: Verdict, model: impl FnOnce() -> Arc<str>) {
        let model = (verdict.scope() == Scope::Model).then(model);
        let request = Request {
            pin: None,
            tried: &|id| id == lease.credential(),
            model: model.as_ref(),
            cooled_down: &|_| false,
            refreshed: false,
            refused_elsewhere: false,
            last_try: true,
        };
        let (access, started) = (lease.access(), lease.started());
        let outcome = Outcome { access, started, verdict, request, jitter: fastrand::f64 };
        let settled = self.settle(&outcome);
        self.emit(settled.effects);
    }
}
