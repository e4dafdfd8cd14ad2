//! What is known of the errors of reqwest.

use std::error::Error as StdError;

use ::reqwest::Error;

use crate::error::chain;
use crate::verdict::{Kind, Processed, Verdict};

/// The opinion on the outermost of reqwest's errors. `None` if there is none, or if what lies below it says more.
pub(super) fn verdict(error: &(dyn StdError + 'static)) -> Option<Verdict> {
    let outermost = chain(error).find_map(|error| error.downcast_ref::<Error>())?;
    if outermost.is_builder() || outermost.is_redirect() {
        // No other credential makes a better request of it, nor a shorter way.
        return Some(Verdict::new(Kind::Rejected));
    }
    if chain(outermost).filter_map(|error| error.downcast_ref::<Error>()).any(Error::is_body) {
        // The caller's own stream. Asked first: what it failed of could be a connection of the caller's own.
        return Some(Verdict::new(Kind::Canceled));
    }
    if outermost.is_connect() {
        return Some(network(Processed::No));
    }
    outermost.is_timeout().then(|| network(Processed::Maybe))
}

fn network(processed: Processed) -> Verdict {
    Verdict::new(Kind::Network).with_processed(processed)
}
