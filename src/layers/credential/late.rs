//! A failure of one model whose name is not known here: the layer above that keeps the request tells it.

use super::settle::settle;
use crate::context::{RequestContext, Unsettled};
use crate::pool::{Lease, Outcome, Remembered, Request};
use crate::verdict::Verdict;

/// An attempt that is settled once the model's name is known. The body of its request went with it, and only after the
/// failure does anybody want to know what was in it.
#[derive(Debug)]
pub(super) struct Late {
    lease: Option<Lease>,
    verdict: Verdict,
    answer: Option<Remembered>,
}

impl Late {
    /// Leaves it with the context, for the layer that tells the name.
    pub(super) fn leave(context: &RequestContext, lease: Lease, verdict: Verdict, answer: Option<Remembered>) {
        let late: Box<dyn Unsettled> = Box::new(Self { lease: Some(lease), verdict, answer });
        let before = context.call().unsettled.replace(late);
        // It settles itself, without the lock.
        drop(before);
    }
}

impl Unsettled for Late {
    fn settle(mut self: Box<Self>, context: &RequestContext) {
        let answer = self.answer.take();
        if let Some(lease) = self.lease.take() {
            settle(context, &lease, self.verdict, |_, _| answer);
        }
    }
}

/// Whoever was to tell has gone: the failure counts for requests whose model is not known.
impl Drop for Late {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let request = Request {
            pin: None,
            tried: &|_| false,
            model: None,
            cooled_down: &|_| false,
            refreshed: false,
            refused_elsewhere: false,
            last_try: true,
        };
        let outcome = Outcome {
            access: lease.access(),
            started: lease.started(),
            verdict: self.verdict,
            request,
            jitter: fastrand::f64,
        };
        let settled = lease.pool().settle(&outcome);
        lease.pool().emit(settled.effects);
    }
}
