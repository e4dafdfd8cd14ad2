//! A login through the browser that has begun.

use std::fmt;
use std::time::Duration;

use super::answer::{self, TokenAnswer};
use super::callback::{Callback, Expected};
use super::error::{LoginError, LoginErrorKind};
use super::logged_in::LoggedIn;
use super::opening::Opening;
use super::page::Page;
use super::progress::Progress;
use super::redirect::Redirect;
use super::server::{CallbackServer, Port};
use super::session::Session;
use crate::credentials::Secret;

/// A login through the browser that has begun; made by [`Login::by_code`](super::Login::by_code).
///
/// Its port is open. Send a browser to [`url`](Self::url), and await [`finish`](Self::finish). Dropping it, or the future of
/// `finish`, ends the login and closes the port.
pub struct CodeLogin {
    session: Session,
    url: String,
    redirect_uri: String,
    verifier: Secret,
    server: CallbackServer,
    deadline: tokio::time::Instant,
}

impl CodeLogin {
    pub(super) async fn start(session: Session, redirect: &Redirect, limit: Duration) -> Result<Self, LoginError> {
        let port = Port::open(redirect).await?;
        let redirect_uri = redirect.uri(port.number);
        let endpoints = &session.endpoints;
        let Opening { url, state, verifier } = Opening::new(&session.client, &endpoints.start, &redirect_uri)?;
        let expected = Expected {
            authority: redirect.authority(port.number),
            path: redirect.path.clone(),
            state,
            issuer: endpoints.issuer.clone(),
            names_issuer: endpoints.names_issuer,
        };
        let now = tokio::time::Instant::now();
        let deadline = now.checked_add(limit).ok_or_else(|| LoginError::config("the time limit is too long"))?;
        let server = CallbackServer::start(port, expected, deadline, session.reporter.clone());
        Ok(Self { session, url, redirect_uri, verifier, server, deadline })
    }

    /// The URL that a browser on this machine has to open. It holds the `state` of this login: show it, and keep it out
    /// of logs.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL to which the browser brings its answer, with the port that was opened.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// How much time is left.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(tokio::time::Instant::now())
    }

    /// Waits for the browser, exchanges its code for tokens, and finds out whose they are.
    ///
    /// Requests that are not the answer to this login are refused with a page that says so, and the login goes on. The
    /// answer itself is used once, however often the browser brings it; the page that it shows says how the login ended.
    /// The port is closed when this returns.
    ///
    /// # Errors
    ///
    /// A [`LoginError`] whose kind says what to do. After any of them there is no login.
    pub async fn finish(self) -> Result<LoggedIn, LoginError> {
        let at_most = self.time_left();
        let Self { session, redirect_uri, verifier, mut server, .. } = self;
        session.reporter.report(Progress::Waiting { at_most });
        let Some(callback) = server.answer().await else {
            return Err(LoginError::new(
                LoginErrorKind::Expired,
                "nobody finished the login in the browser in time; start again",
            ));
        };
        let outcome = match callback {
            Callback::Code(code) => session.exchange(&redirect_uri, code, &verifier).await,
            Callback::Error(code) => Err(LoginError::refused(&code)),
            Callback::OtherIssuer => Err(LoginError::untrusted(
                "the answer is of another issuer than the login was begun at (RFC 9207); its code was not used",
            )),
        };
        let page = match &outcome {
            Ok(_) => Page::logged_in(),
            Err(error) => Page::failed(&error.to_string()),
        };
        server.close(page).await;
        outcome
    }
}

impl Session {
    async fn exchange(&self, redirect_uri: &str, code: Secret, verifier: &Secret) -> Result<LoggedIn, LoginError> {
        self.reporter.report(Progress::Exchanging);
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("code_verifier", verifier.expose()),
            ("redirect_uri", redirect_uri),
        ];
        match answer::tokens(self.post(&self.endpoints.token, &grant, &[]).await, &code) {
            TokenAnswer::Tokens(tokens, whose) => self.identify(tokens, whose).await,
            TokenAnswer::Failed(error, _) => Err(error),
            TokenAnswer::Pending | TokenAnswer::SlowDown(_) => Err(LoginError::refused("authorization_pending")),
        }
    }
}

/// Without the URL, which holds the state.
impl fmt::Debug for CodeLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeLogin")
            .field("session", &self.session)
            .field("redirect_uri", &self.redirect_uri)
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
