//! Why a refresh brought no token.

use std::time::Duration;

use crate::events::LoginReason;
use crate::tokens::refresh::{RefreshError, across};

/// How long a refresh waits while another process refreshes the same credential: longer than that takes where the OAuth
/// server is well, and short enough that requests rather go on with another account.
pub(in crate::pool) const LEASE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a refresh brought no token.
#[derive(Debug)]
pub(in crate::pool) struct Failure {
    pub(in crate::pool) error: RefreshError,
    pub(in crate::pool) why: Why,
}

/// What that means for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Why {
    ForNow,
    /// The token endpoint, or the user's token source, has refused for now: that may repeat for ever.
    Refused,
    /// Others are refreshing it, and take their time.
    Busy,
    /// It needs a login.
    Login(LoginReason),
}

impl Failure {
    /// Notes whether it was the server that refused.
    pub(in crate::pool) fn refused(self, is_refused: bool) -> Self {
        let why = if is_refused && self.why == Why::ForNow { Why::Refused } else { self.why };
        Self { why, ..self }
    }
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        across::Failure::from(error).into()
    }
}

impl From<across::Failure> for Failure {
    fn from(across::Failure { error, login, busy, .. }: across::Failure) -> Self {
        let why = match login {
            Some(reason) => Why::Login(reason),
            None if busy => Why::Busy,
            None => Why::ForNow,
        };
        Self { error, why }
    }
}
