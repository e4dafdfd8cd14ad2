//! Why a refresh failed, and what that means for the credential.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::code;
use crate::credentials::Secret;
use crate::error::{BoxError, Error, ErrorKind, with_causes};

/// Why a refresh failed.
///
/// A clone is cheap, because all waiters of one refresh share its outcome. Its text holds no token and no part of an answer's
/// body, other than an error code of at most 64 letters, digits and `_.-`.
///
/// ```
/// use oauth_marathon::tokens::refresh::{RefreshError, RefreshErrorKind};
/// use std::time::Duration;
///
/// let error = RefreshError::transient("the vault is sealed").with_retry_after(Duration::from_secs(5));
/// assert_eq!(error.kind(), RefreshErrorKind::Transient);
/// assert_eq!(error.to_string(), "the vault is sealed");
/// ```
#[derive(Clone)]
pub struct RefreshError {
    kind: RefreshErrorKind,
    message: Arc<str>,
    status: Option<StatusCode>,
    code: Option<Arc<str>>,
    retry_after: Option<Duration>,
    refresh_token: Option<Secret>,
    unanswered: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a failed refresh means for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshErrorKind {
    /// It may work later. The token set is kept.
    Transient,
    /// The refresh token is useless: a person has to log in again.
    LoginNeeded,
    /// The settings are wrong, such as the client id. Neither time nor a new login helps.
    Misconfigured,
}

impl RefreshError {
    /// A failure that may pass: the network, an overloaded server, an answer that cannot be read.
    ///
    /// The message is shown to people and logged: it must hold no secret. This goes for all constructors.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(RefreshErrorKind::Transient, message)
    }

    /// A refresh token that was revoked, has expired or was used before: only a new login helps.
    #[must_use]
    pub fn login_needed(message: impl Into<String>) -> Self {
        Self::new(RefreshErrorKind::LoginNeeded, message)
    }

    /// A client that is set up wrongly: only a correction of the settings helps.
    #[must_use]
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(RefreshErrorKind::Misconfigured, message)
    }

    pub(super) fn new(kind: RefreshErrorKind, message: impl Into<String>) -> Self {
        let message = message.into().into();
        Self {
            kind,
            message,
            status: None,
            code: None,
            retry_after: None,
            refresh_token: None,
            unanswered: false,
            source: None,
        }
    }

    /// Sets how long the server asks to wait. If a failure repeats without a stated time, the pool's pauses grow up to
    /// [`max_grown_cooldown`](crate::config::Settings::max_grown_cooldown).
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Adds a new refresh token that came without a usable access token. It is stored in place of the old one, which is
    /// spent, and the next refresh sends it.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<Secret>) -> Self {
        self.refresh_token = Some(refresh_token.into());
        self
    }

    /// Adds the cause. Its text can reach logs, so it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Notes that there was no answer: the server was not reached, or the connection to it broke.
    pub(super) fn unanswered(mut self) -> Self {
        self.unanswered = true;
        self
    }

    /// Whether it is known that the server gave no answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Adds an error code, if it looks like one.
    pub(super) fn with_code(mut self, code: &str) -> Self {
        self.code = code::plain(code).map(Into::into);
        self
    }

    /// Takes the new refresh token out, so that the clones for the waiters do not hold it.
    pub(crate) fn take_refresh_token(&mut self) -> Option<Secret> {
        self.refresh_token.take()
    }

    /// Whether the answer shows that the refresh token was not spent. A success may have spent it, even if its answer
    /// is useless. So may an exchange that ends in an answer of a failing server, or of a proxy before it.
    pub(crate) fn says_unspent(&self) -> bool {
        self.status.is_some_and(|status| match status.as_u16() {
            408 => false,
            503 => true,
            number => (300..500).contains(&number),
        })
    }

    /// The error that a caller gets for it, with this message.
    pub(crate) fn into_error(self, message: impl Into<String>) -> Error {
        let kind = match self.kind {
            RefreshErrorKind::LoginNeeded => ErrorKind::LoginNeeded,
            RefreshErrorKind::Transient | RefreshErrorKind::Misconfigured => ErrorKind::Refresh,
        };
        Error::new(kind, message).with_retry_after(self.retry_after).with_source(self)
    }

    /// What the failure means for the credential.
    #[must_use]
    pub fn kind(&self) -> RefreshErrorKind {
        self.kind
    }

    /// The error code of the token endpoint, such as `invalid_grant` (RFC 6749 section 5.2).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The status that the token endpoint answered with, if it did.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// How long the server asks to wait, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Debug for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_causes(self, f)
    }
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        code::write(f, &self.message, self.status, self.code())
    }
}

impl StdError for RefreshError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_code_follow_the_message() {
        let error = RefreshError::login_needed("log in again");
        assert_eq!(error.to_string(), "log in again");
        let error = error.with_status(StatusCode::BAD_REQUEST);
        assert_eq!(error.to_string(), "log in again (400)");
        assert_eq!(error.with_code("invalid_grant").to_string(), "log in again (400, invalid_grant)");
        assert_eq!(RefreshError::transient("x").with_code("a.b-C_1").to_string(), "x (a.b-C_1)");
    }

    #[test]
    fn what_does_not_look_like_a_code_is_left_out() {
        for code in ["", "two words", "a\nb", "é", "<b>", "\"x\"", &"x".repeat(65)] {
            assert_eq!(RefreshError::transient("x").with_code(code).code(), None, "{code}");
        }
        let longest = "x".repeat(64);
        assert_eq!(RefreshError::transient("x").with_code(&longest).code(), Some(&*longest));
    }

    #[test]
    fn only_an_answer_that_refuses_says_that_the_refresh_token_is_unspent() {
        let says = |status: u16| {
            RefreshError::transient("x").with_status(StatusCode::from_u16(status).unwrap()).says_unspent()
        };
        let unspent = [302, 307, 400, 401, 403, 404, 429, 499, 503];
        let unknown = [200, 201, 204, 206, 299, 408, 500, 502, 504, 520, 599, 999, 100];
        assert_eq!((unspent.map(says), unknown.map(says)), ([true; 9], [false; 13]));
        assert!(!RefreshError::transient("no answer").says_unspent());
    }

    #[test]
    fn clones_share_the_source() {
        let error = RefreshError::transient("x").with_source(std::io::Error::other("reset"));
        let clone = error.clone();
        assert_eq!(clone.source().unwrap().to_string(), "reset");
        assert!(Arc::ptr_eq(error.source.as_ref().unwrap(), clone.source.as_ref().unwrap()));
    }
}
