//! All scenarios.

mod auth;
mod exhaustion;
mod faults;
mod rate_limits;
mod refusals;
mod requests;

use crate::scenario::Scenario;

pub(crate) fn all() -> Vec<Scenario> {
    let mut all = rate_limits::scenarios();
    all.extend(refusals::scenarios());
    all.extend(auth::scenarios());
    all.extend(faults::scenarios());
    all.extend(exhaustion::scenarios());
    all.extend(requests::scenarios());
    all
}
