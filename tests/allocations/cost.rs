//! What a request allocates, on this thread.

use allocation_counter::{AllocationInfo, measure};

use crate::paths::Subject;

/// What one request through a subject that has sent some before allocates.
pub(crate) fn cost(mut subject: Box<dyn Subject>) -> AllocationInfo {
    let cost = measure(|| subject.send());
    subject.reset();
    let again = measure(|| subject.send());
    assert_eq!(cost.count_total, again.count_total, "every request costs the same");
    cost
}
