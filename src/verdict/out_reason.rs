//! Why a credential is out.

use std::fmt;

/// Why a credential is out: not picked until a person acts.
///
/// Its `Display` text is for that person. Its word for programs is [`as_str`](Self::as_str), which `parse` reads back.
///
/// ```
/// use oauth_marathon::verdict::OutReason;
///
/// assert_eq!(OutReason::Revoked.as_str(), "revoked");
/// assert_eq!("revoked".parse::<OutReason>()?, OutReason::Revoked);
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutReason {
    /// The OAuth server refused the refresh token for good (`invalid_grant`, RFC 6749 section 5.2).
    RefreshRefused,
    /// A refresh was cut short between the OAuth server and the store, because the process ended or the answer was
    /// lost. The old refresh token was then refused, and the new one is lost.
    RefreshLost,
    /// The provider says that the login is no longer valid.
    Revoked,
    /// The account is banned, suspended or has to be verified.
    Banned,
}

/// What is wrong and what to do, to follow the name of the credential.
impl fmt::Display for OutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefreshRefused => "needs a new login: its refresh token was refused",
            Self::RefreshLost => {
                "needs a new login: a refresh was cut short before its new token was stored, and the old one was refused"
            }
            Self::Revoked => "needs a new login: the provider has revoked the present one",
            Self::Banned => "needs attention: the provider has banned it or asks to verify it",
        })
    }
}
