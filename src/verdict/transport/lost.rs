//! The words for a connection that failed, which the verdicts on every client's errors are made of.

use std::io::{self, ErrorKind};

use crate::verdict::{Kind, Lost, Processed, Verdict};

/// The verdict on a failed connection.
pub(super) fn lost_connection(processed: Processed, lost: Option<Lost>) -> Verdict {
    let verdict = Verdict::new(Kind::Network).with_processed(processed);
    lost.map_or(verdict, |lost| verdict.with_lost(lost))
}

/// How an established connection failed. It was before any answer, because this error came in place of one.
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
