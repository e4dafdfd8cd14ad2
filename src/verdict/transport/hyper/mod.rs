//! The verdict on errors of hyper, hyper-util and h2, from exact knowledge of them.

use std::error::Error as StdError;
use std::io;

use super::lost::{how_lost, lost_connection};
use crate::error::chain;
use crate::verdict::{Kind, Lost, Processed, Verdict};

/// The verdict on the outermost error of these crates. `None` if no error in the chain is of these crates.
///
/// The errors below it are not read: the cause of a request body's failure, for example, could be a refused connection of the
/// caller's own.
pub(crate) fn verdict(error: &(dyn StdError + 'static)) -> Option<Verdict> {
    chain(error).find_map(|error| {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            // For the other kinds the source says more.
            error.is_connect().then(|| lost_connection(Processed::No, None))
        } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
            Some(hyper_error(error))
        } else {
            error.downcast_ref::<h2::Error>().map(h2_error)
        }
    })
}

fn hyper_error(error: &hyper::Error) -> Verdict {
    if error.is_canceled() || error.is_closed() {
        // The request was still queued when its connection ended.
        return lost_connection(Processed::No, Some(Lost::BeforeAnswer));
    }
    if is_dispatch_gone(error) {
        return lost_connection(Processed::Maybe, Some(Lost::BeforeAnswer));
    }
    if error.is_user() {
        return Verdict::new(Kind::Canceled);
    }
    if let Some(source) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) {
        return h2_error(source);
    }
    let how = match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) => how_lost(source),
        None if error.is_incomplete_message() => Some(Lost::BeforeAnswer),
        None => error.is_timeout().then_some(Lost::TimedOut),
    };
    lost_connection(Processed::Maybe, how)
}

/// Whether hyper's connection task ended without an error of its own. It is read from the text, because hyper counts
/// this as a user's error and has no method for it.
fn is_dispatch_gone(error: &hyper::Error) -> bool {
    format!("{error:?}").starts_with("hyper::Error(User(DispatchGone)")
}

fn h2_error(error: &h2::Error) -> Verdict {
    if error.is_reset() && !error.is_remote() && !error.is_library() {
        // Our side has reset the stream: hyper does so when the caller's request body fails.
        return Verdict::new(Kind::Canceled);
    }
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // h2 gives a received GOAWAY only to streams above its last id and to those not opened yet: none of these is
    // processed (RFC 9113, 6.8). The others go on, and get an I/O error if the connection breaks.
    let never_processed = error.is_remote() && (refused || error.is_go_away());
    let processed = if never_processed { Processed::No } else { Processed::Maybe };
    // A connection that the other side closes in order has served others before.
    let closed = error.is_remote() && error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    lost_connection(processed, if closed { Some(Lost::BeforeAnswer) } else { error.get_io().and_then(how_lost) })
}

#[cfg(test)]
mod tests;
