//! The verdict on a connection that failed, as all clients share it.

use std::io::{self, ErrorKind};

use crate::verdict::{Kind, Lost, Processed, Verdict};

/// The verdict on a failed connection.
pub(super) fn lost_connection(processed: Processed, lost: Option<Lost>) -> Verdict {
    let verdict = Verdict::new(Kind::Network).with_processed(processed);
    lost.map_or(verdict, |lost| verdict.with_lost(lost))
}

/// How an established connection failed. No answer had begun, because this error came in place of one.
pub(super) fn how_lost(error: &io::Error) -> Option<Lost> {
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(Lost::BeforeAnswer),
        ErrorKind::TimedOut => Some(Lost::TimedOut),
        _ => None,
    }
}
