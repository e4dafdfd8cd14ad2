//! The standard verdict on transport errors.
//!
//! Errors of the known clients are judged first, by their exact types. After them comes what any chain of errors may
//! hold. Each client has a file, and all use the verdict in `lost`.

#[cfg(feature = "hyper-client")]
mod hyper;
mod lost;
#[cfg(feature = "reqwest")]
mod reqwest;

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use tokio::time::error::Elapsed;

use self::lost::{how_lost, lost_connection};
use crate::error::chain;
use crate::verdict::{Lost, Processed, Verdict};

/// Judges an error that came in place of an answer. An unknown error means that the request may have been processed.
pub(crate) fn verdict(error: &(dyn StdError + 'static)) -> Verdict {
    #[cfg(feature = "reqwest")]
    if let Some(verdict) = reqwest::verdict(error) {
        return verdict;
    }
    #[cfg(feature = "hyper-client")]
    if let Some(verdict) = hyper::verdict(error) {
        return verdict;
    }
    let io_errors = || chain(error).filter_map(|error| error.downcast_ref::<io::Error>());
    let processed = if io_errors().any(never_connected) { Processed::No } else { Processed::Maybe };
    let timed_out = || chain(error).any(|error| error.is::<Elapsed>()).then_some(Lost::TimedOut);
    lost_connection(processed, io_errors().find_map(how_lost).or_else(timed_out))
}

/// Whether the error can only come from connecting.
///
/// "Host unreachable" and "network unreachable" are not among them: an established connection reports them as well,
/// when what was written is not acknowledged.
fn never_connected(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable | ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Wrapper(io::Error);

    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the client failed")
        }
    }

    impl StdError for Wrapper {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn only_failures_to_connect_are_surely_not_processed_and_only_others_can_be_of_an_old_connection() {
        let table = [
            (ErrorKind::ConnectionRefused, Processed::No, None),
            (ErrorKind::AddrNotAvailable, Processed::No, None),
            (ErrorKind::NotFound, Processed::No, None),
            (ErrorKind::HostUnreachable, Processed::Maybe, None),
            (ErrorKind::NetworkUnreachable, Processed::Maybe, None),
            (ErrorKind::ConnectionReset, Processed::Maybe, Some(Lost::BeforeAnswer)),
            (ErrorKind::ConnectionAborted, Processed::Maybe, Some(Lost::BeforeAnswer)),
            (ErrorKind::BrokenPipe, Processed::Maybe, Some(Lost::BeforeAnswer)),
            (ErrorKind::TimedOut, Processed::Maybe, Some(Lost::TimedOut)),
            (ErrorKind::UnexpectedEof, Processed::Maybe, Some(Lost::BeforeAnswer)),
            (ErrorKind::Other, Processed::Maybe, None),
        ];
        for (kind, processed, lost) in table {
            let expected = lost_connection(processed, lost);
            assert_eq!(verdict(&io::Error::from(kind)), expected, "{kind:?}");
            assert_eq!(verdict(&Wrapper(kind.into())), expected, "{kind:?}, wrapped");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_limit_of_a_layer_below_is_told_from_a_broken_connection() {
        let never = std::future::pending::<()>();
        let elapsed = tokio::time::timeout(std::time::Duration::from_secs(1), never).await.unwrap_err();
        assert_eq!(verdict(&elapsed), lost_connection(Processed::Maybe, Some(Lost::TimedOut)));
    }
}
