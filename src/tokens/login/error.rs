//! Why a login failed, and what that means for the person at the keyboard.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

use crate::error::{BoxError, Error, with_causes};
use crate::tokens::refresh::{RefreshError, RefreshErrorKind, code};

/// Why a login failed.
///
/// What it prints holds no token, no code, no state, and no part of an answer's body other than an error code of at most
/// 64 letters, digits and `_.-`.
pub struct LoginError {
    kind: LoginErrorKind,
    message: String,
    status: Option<StatusCode>,
    code: Option<String>,
    source: Option<BoxError>,
}

/// What a failed login means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginErrorKind {
    /// The settings are wrong or incomplete. The message names the key and the remedy.
    Config,
    /// The port for the answer of the browser could not be opened on this machine.
    Listen,
    /// The person said no, or the server did for them (`access_denied`).
    Denied,
    /// The person did not finish the login in time.
    Expired,
    /// The server refused the login; [`LoginError::code`] says why.
    Refused,
    /// The server could not be reached, or fails. A new login may work later.
    Unreachable,
    /// The answer contradicts the request, for example if it is from another issuer. It must not be trusted.
    Untrusted,
}

impl LoginError {
    pub(super) fn new(kind: LoginErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, code: None, source: None }
    }

    pub(super) fn config(message: impl Into<String>) -> Self {
        Self::new(LoginErrorKind::Config, message)
    }

    /// An error from the check of the settings.
    pub(super) fn settings(error: &Error) -> Self {
        Self::config(error.to_string())
    }

    pub(super) fn untrusted(message: impl Into<String>) -> Self {
        Self::new(LoginErrorKind::Untrusted, message)
    }

    /// A refusal with this code. A code that does not look like one is left out.
    pub(super) fn refused(code: &str) -> Self {
        let (kind, message) = match code {
            "access_denied" => (LoginErrorKind::Denied, "the login was denied"),
            "expired_token" => (LoginErrorKind::Expired, "the code expired before it was confirmed; start again"),
            "server_error" | "temporarily_unavailable" => {
                (LoginErrorKind::Unreachable, "the server cannot complete logins for now")
            }
            "invalid_client" | "unauthorized_client" => {
                (LoginErrorKind::Refused, "the server refused the client; check clientId and the client's secret")
            }
            "invalid_scope" => (LoginErrorKind::Refused, "the server refused the scopes; check scopes"),
            "invalid_grant" => (LoginErrorKind::Refused, "the server does not accept the code; start again"),
            _ => (LoginErrorKind::Refused, "the server refused the login"),
        };
        Self { code: code::plain(code).map(str::to_owned), ..Self::new(kind, message) }
    }

    /// A failed exchange, from the error that the reader of token responses gives.
    pub(super) fn exchange(error: RefreshError) -> Self {
        let Some(code) = error.code() else {
            let (kind, message) = match error.status() {
                Some(status) if !status.is_success() && !in_trouble(status) => {
                    (LoginErrorKind::Refused, "the server refused without saying why; check the URL of its endpoint")
                }
                Some(_) => (LoginErrorKind::Unreachable, "the server gave an answer that is no token response"),
                None if error.kind() == RefreshErrorKind::Misconfigured => {
                    (LoginErrorKind::Config, "the request could not be built; check clientId and its secret")
                }
                None => (LoginErrorKind::Unreachable, "the exchange with the server failed"),
            };
            return Self { status: error.status(), ..Self::new(kind, message) }.with_source(error);
        };
        let trouble = error.status().is_some_and(in_trouble);
        let refused = if trouble { Self::refused("temporarily_unavailable") } else { Self::refused(code) };
        Self { status: error.status(), code: Some(code.to_owned()), ..refused }
    }

    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    pub(super) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the failure means.
    #[must_use]
    pub fn kind(&self) -> LoginErrorKind {
        self.kind
    }

    /// The error code of the server, such as `access_denied` (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The status of the server's answer, if there was one that says something.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }
}

/// Whether the status says that the server itself fails.
pub(super) fn in_trouble(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}

impl fmt::Debug for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_causes(self, f)
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        code::write(f, &self.message, self.status, self.code())
    }
}

impl StdError for LoginError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_the_kind_and_only_plain_ones_are_shown() {
        for (code, kind, text) in [
            ("access_denied", LoginErrorKind::Denied, "the login was denied (access_denied)"),
            ("expired_token", LoginErrorKind::Expired, "start again (expired_token)"),
            ("server_error", LoginErrorKind::Unreachable, "for now (server_error)"),
            ("invalid_client", LoginErrorKind::Refused, "check clientId"),
            ("invalid_scope", LoginErrorKind::Refused, "check scopes"),
            ("login_required", LoginErrorKind::Refused, "the server refused the login (login_required)"),
            ("<script>", LoginErrorKind::Refused, "the server refused the login"),
        ] {
            let error = LoginError::refused(code);
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().ends_with(text) || error.to_string().contains("check"), "{error}");
            assert!(!error.to_string().contains('<') && error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_request_that_cannot_be_built_is_a_mistake_in_the_settings() {
        let error = LoginError::exchange(RefreshError::misconfigured("the request could not be built"));
        assert_eq!(error.kind(), LoginErrorKind::Config);
        assert!(error.to_string().contains("clientId"), "{error}");
    }
}
