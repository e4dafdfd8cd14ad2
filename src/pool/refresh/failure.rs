//! Why a refresh brought no token.

use std::time::Duration;

use crate::tokens::refresh::{RefreshError, across};
use crate::verdict::OutReason;

/// How long a refresh waits while another process refreshes the same credential. It is longer than a refresh takes at a
/// healthy OAuth server, and short enough that requests rather go on with another account.
pub(in crate::pool) const LEASE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a refresh brought no token.
#[derive(Debug)]
pub(in crate::pool) struct Failure {
    pub(in crate::pool) error: RefreshError,
    pub(in crate::pool) why: Why,
}

/// What a failed refresh means for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Why {
    /// It failed without a refusal, for example by the network.
    ForNow,
    /// The token endpoint, or the user's token source, has refused for now. That may repeat for ever, so the pause grows.
    Refused,
    /// Another process is refreshing it, and has not ended in time.
    Busy,
    /// The refresh token is useless: a person has to log in.
    Login(OutReason),
}

impl Failure {
    /// Notes whether the failure is the server's refusal.
    pub(in crate::pool) fn refused(self, is_refused: bool) -> Self {
        let why = if is_refused && self.why == Why::ForNow { Why::Refused } else { self.why };
        Self { why, ..self }
    }
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        across::RefreshFailure::from(error).into()
    }
}

impl From<across::RefreshFailure> for Failure {
    fn from(across::RefreshFailure { error, login, busy, .. }: across::RefreshFailure) -> Self {
        let why = match login {
            Some(reason) => Why::Login(reason),
            None if busy => Why::Busy,
            None => Why::ForNow,
        };
        Self { error, why }
    }
}
