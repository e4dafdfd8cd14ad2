//! Chooses which of several failures the caller gets.

use crate::verdict::{Kind, Verdict};

/// How much an answer tells the caller. An answer about the request ranks above one about the provider's load, and that above
/// one about a single credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Credential,
    Load,
    Request,
}

impl Rank {
    pub(crate) fn of(verdict: Option<Verdict>) -> Self {
        match verdict.map(|verdict| verdict.kind()) {
            Some(Kind::Unauthorized | Kind::Forbidden | Kind::Billing | Kind::Revoked | Kind::Network) => {
                Self::Credential
            }
            Some(Kind::Throttled | Kind::QuotaExhausted | Kind::Overloaded | Kind::ServerError) => Self::Load,
            _ => Self::Request,
        }
    }

    /// The rank of an answer after which the request goes on. A ban then concerns one account alone. Only a ban that
    /// ends the request ranks as an answer about the request.
    pub(crate) fn in_passing(verdict: Option<Verdict>) -> Self {
        match verdict.map(|verdict| verdict.kind()) {
            Some(Kind::Banned) => Self::Credential,
            _ => Self::of(verdict),
        }
    }
}

/// The best answer so far. Among equals the last one counts.
#[derive(Debug)]
pub(crate) struct Best<T>(Option<(Rank, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Best<T> {
    pub(crate) fn offer(&mut self, rank: Rank, answer: T) {
        if self.0.as_ref().is_none_or(|(best, _)| rank >= *best) {
            self.0 = Some((rank, answer));
        }
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_the_request_outranks_load_and_load_outranks_one_credential() {
        let best = |kinds: &[Kind]| {
            let mut best = Best::default();
            for (at, kind) in kinds.iter().enumerate() {
                best.offer(Rank::of(Some(Verdict::new(*kind))), at);
            }
            best.take()
        };
        assert_eq!(best(&[Kind::Throttled, Kind::Throttled]), Some(1));
        assert_eq!(best(&[Kind::Throttled, Kind::Forbidden]), Some(0));
        assert_eq!(best(&[Kind::Unauthorized, Kind::Overloaded]), Some(1));
        assert_eq!(best(&[Kind::Rejected, Kind::Throttled]), Some(0));
        assert_eq!(best(&[Kind::Throttled, Kind::Banned]), Some(1));
        assert_eq!(best(&[]), None);
        // A stream that broke off before its content.
        assert_eq!(best(&[Kind::Throttled, Kind::Network]), Some(0));
    }
}
