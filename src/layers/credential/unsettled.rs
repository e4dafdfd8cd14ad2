//! A failure of one model, kept until the model's name is known. The layer above that keeps the request finds the name.

use super::settle::settle;
use crate::context::{RequestContext, Unsettled};
use crate::pool::{Lease, Outcome, Remembered, RequestView};
use crate::verdict::Verdict;

/// An attempt that is settled once the model's name is known. The name is needed only after the failure, and by then the body
/// of the request is gone here.
#[derive(Debug)]
pub(super) struct UnsettledAttempt {
    lease: Option<Lease>,
    verdict: Verdict,
    answer: Option<Remembered>,
}

impl UnsettledAttempt {
    /// Leaves it in the context, for the layer that names the model.
    pub(super) fn leave(context: &RequestContext, lease: Lease, verdict: Verdict, answer: Option<Remembered>) {
        let unsettled: Box<dyn Unsettled> = Box::new(Self { lease: Some(lease), verdict, answer });
        let before = context.call().unsettled.replace(unsettled);
        // The earlier one settles itself when it is dropped, which happens outside of the lock.
        drop(before);
    }
}

impl Unsettled for UnsettledAttempt {
    fn settle(mut self: Box<Self>, context: &RequestContext) {
        let answer = self.answer.take();
        if let Some(lease) = self.lease.take() {
            settle(context, &lease, self.verdict, |_, _| answer);
        }
    }
}

/// Without a name, the failure counts for the requests whose model is unknown.
impl Drop for UnsettledAttempt {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let outcome = Outcome {
            access: lease.access(),
            started: lease.started(),
            verdict: self.verdict,
            request: RequestView::new(None, &|_| false, None),
            jitter: fastrand::f64,
        };
        let settled = lease.pool().settle(&outcome);
        lease.pool().emit(settled.effects);
    }
}
