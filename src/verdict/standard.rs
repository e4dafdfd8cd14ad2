//! The standard verdict: by status, for answers of any provider.

use std::error::Error as StdError;

use super::{Answer, Classifier, retry_after, transport};
use crate::verdict::{Kind, Verdict};

/// The classifier that is asked last and always has a verdict.
///
/// | status | kind |
/// |---|---|
/// | below 400 | [`Kind::Success`] |
/// | 401, 402, 403 | [`Kind::Unauthorized`], [`Kind::Billing`], [`Kind::Forbidden`] |
/// | 429 | [`Kind::Throttled`] |
/// | 503, 529 | [`Kind::Overloaded`] |
/// | 408, other 5xx, 600 and above | [`Kind::ServerError`] |
/// | other 4xx | [`Kind::Rejected`] |
///
/// A 408 is about the connection and not the request: the same request may be repeated (RFC 9110, 15.5.9). Gateways
/// also send it when the server behind them is slow, so the request may have been processed. A status outside of all
/// classes counts as a server error (RFC 9110, 15). A failure's [`retry_after()`] is read from the header fields.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StandardClassifier;

impl StandardClassifier {
    /// The standard classifier.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Classifier for StandardClassifier {
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
        let verdict = Verdict::new(kind(answer.status().as_u16())).with_status(answer.status());
        if verdict.is_success() {
            return Some(verdict);
        }
        Some(match retry_after(answer.headers(), answer.now()) {
            Some(wait) => verdict.with_retry_after(wait),
            None => verdict,
        })
    }

    fn error(&self, error: &(dyn StdError + 'static)) -> Option<Verdict> {
        Some(transport::verdict(error))
    }
}

/// The kind of a status.
pub(crate) fn kind(status: u16) -> Kind {
    match status {
        ..400 => Kind::Success,
        401 => Kind::Unauthorized,
        402 => Kind::Billing,
        403 => Kind::Forbidden,
        408 => Kind::ServerError,
        429 => Kind::Throttled,
        400..500 => Kind::Rejected,
        503 | 529 => Kind::Overloaded,
        500.. => Kind::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::verdict::{Processed, Scope};

    fn judge(status: u16, headers: &HeaderMap) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        StandardClassifier.answer(&Answer::new(status, headers, UNIX_EPOCH)).unwrap()
    }

    #[test]
    fn every_status_has_the_kind_of_the_table() {
        for status in 100..=999_u16 {
            let expected = match status {
                401 => Kind::Unauthorized,
                402 => Kind::Billing,
                403 => Kind::Forbidden,
                429 => Kind::Throttled,
                503 | 529 => Kind::Overloaded,
                408 => Kind::ServerError,
                _ if status < 400 => Kind::Success,
                _ if status < 500 => Kind::Rejected,
                _ => Kind::ServerError,
            };
            let verdict = judge(status, &HeaderMap::new());
            assert_eq!(verdict.kind(), expected, "{status}");
            assert_eq!(verdict.status().map(|status| status.as_u16()), Some(status));
            assert_eq!(verdict.retry_after(), None, "{status}");
        }
    }

    #[test]
    fn the_wait_is_read_for_every_failure_and_for_no_success() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        for status in 100..=999_u16 {
            let expected = (status >= 400).then(|| Duration::from_secs(7));
            assert_eq!(judge(status, &headers).retry_after(), expected, "{status}");
        }
    }

    #[test]
    fn only_refusals_count_as_surely_not_processed() {
        for status in 400..=999_u16 {
            let refused = matches!(status, 401 | 403 | 429 | 503 | 529);
            let verdict = judge(status, &HeaderMap::new());
            assert_eq!(verdict.processed() == Processed::No, refused, "{status}");
        }
        assert_eq!(judge(429, &HeaderMap::new()).scope(), Scope::Credential);
    }

    #[test]
    fn an_unknown_error_has_a_verdict_too() {
        let verdict = StandardClassifier.error(&std::fmt::Error).unwrap();
        assert_eq!((verdict.kind(), verdict.processed()), (Kind::Network, Processed::Maybe));
    }
}
