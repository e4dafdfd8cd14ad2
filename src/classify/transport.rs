//! The standard opinion on transport errors.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use crate::error::chain;
use crate::verdict::{Kind, Processed, Verdict};

/// Judges an error that came in place of an answer. What is unknown may have been processed.
pub(super) fn verdict(error: &(dyn StdError + 'static)) -> Verdict {
    #[cfg(feature = "reqwest")]
    if let Some(verdict) = super::reqwest::verdict(error) {
        return verdict;
    }
    #[cfg(feature = "hyper-client")]
    if let Some(verdict) = super::hyper::verdict(error) {
        return verdict;
    }
    let never_connected = chain(error).filter_map(|error| error.downcast_ref::<io::Error>()).any(never_connected);
    Verdict::new(Kind::Network).with_processed(if never_connected { Processed::No } else { Processed::Maybe })
}

/// Whether this can only come of connecting.
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
    fn only_failures_to_connect_are_surely_not_processed() {
        let table = [
            (ErrorKind::ConnectionRefused, Processed::No),
            (ErrorKind::AddrNotAvailable, Processed::No),
            (ErrorKind::NotFound, Processed::No),
            (ErrorKind::HostUnreachable, Processed::Maybe),
            (ErrorKind::NetworkUnreachable, Processed::Maybe),
            (ErrorKind::ConnectionReset, Processed::Maybe),
            (ErrorKind::ConnectionAborted, Processed::Maybe),
            (ErrorKind::BrokenPipe, Processed::Maybe),
            (ErrorKind::TimedOut, Processed::Maybe),
            (ErrorKind::UnexpectedEof, Processed::Maybe),
            (ErrorKind::Other, Processed::Maybe),
        ];
        for (kind, processed) in table {
            let expected = Verdict::new(Kind::Network).with_processed(processed);
            assert_eq!(verdict(&io::Error::from(kind)), expected, "{kind:?}");
            assert_eq!(verdict(&Wrapper(kind.into())), expected, "{kind:?}, wrapped");
        }
    }
}
