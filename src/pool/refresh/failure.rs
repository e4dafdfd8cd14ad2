//! Why a refresh brought no token.

use crate::pool::state::WhyNoToken;
use crate::tokens::refresh::{RefreshError, across};

/// A refresh that brought no token: the error, and what it means.
#[derive(Debug)]
pub(super) struct NoToken {
    pub(super) error: RefreshError,
    pub(super) why: WhyNoToken,
}

impl NoToken {
    /// Marks the failure as a refusal of the server, if it is one.
    pub(super) fn refused(self, is_refused: bool) -> Self {
        let why = if is_refused && self.why == WhyNoToken::ForNow { WhyNoToken::Refused } else { self.why };
        Self { why, ..self }
    }
}

impl From<RefreshError> for NoToken {
    fn from(error: RefreshError) -> Self {
        across::RefreshFailure::from(error).into()
    }
}

impl From<across::RefreshFailure> for NoToken {
    fn from(across::RefreshFailure { error, login, busy, .. }: across::RefreshFailure) -> Self {
        let why = match login {
            Some(reason) => WhyNoToken::Login(reason),
            None if busy => WhyNoToken::Busy,
            None => WhyNoToken::ForNow,
        };
        Self { error, why }
    }
}
