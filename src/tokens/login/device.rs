//! A login with a code for another device that has begun.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::answer::{self, Device, TokenAnswer};
use super::error::{LoginError, LoginErrorKind};
use super::identity::Whose;
use super::logged_in::LoggedIn;
use super::pace::Pace;
use super::progress::Progress;
use super::session::Session;
use crate::credentials::TokenSet;
use crate::credentials::origin::Shown;

/// A login with a code for another device that has begun; made by [`Login::by_device`](super::Login::by_device).
///
/// Show [`verification_uri`](Self::verification_uri) and [`user_code`](Self::user_code), and await
/// [`finish`](Self::finish). Dropping its future ends the login.
pub struct DeviceLogin {
    session: Session,
    device: Device,
    deadline: Instant,
}

impl DeviceLogin {
    pub(super) async fn start(session: Session) -> Result<Self, LoginError> {
        let begun = Instant::now();
        let reply = session.post(&session.endpoints.start, &[], &session.client.asks()).await;
        let device = answer::device(reply)?;
        // A device code lives for a day at most, so the sum always exists.
        let deadline = begun.checked_add(device.expires_in).unwrap_or(begun);
        Ok(Self { session, device, deadline })
    }

    /// The code that the person has to type in.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.device.user_code
    }

    /// The URL at which the person types the code in, with any browser on any machine.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        &self.device.verification_uri
    }

    /// The same URL with the code in it, for a link or a QR code, if the server gives one.
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.device.verification_uri_complete.as_deref()
    }

    /// How much time is left.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Polls the server until the person has confirmed, and finds out who it is.
    ///
    /// The first poll comes after one interval of the server's, 5 s if it names none. `slow_down` makes all later pauses longer,
    /// by 5 s or as the answer says. A server that cannot be reached is polled again after pauses that double up to a minute.
    /// Once the code has expired there are no more polls.
    ///
    /// # Errors
    ///
    /// A [`LoginError`] whose kind says what to do. After any of them there is no login.
    pub async fn finish(self) -> Result<LoggedIn, LoginError> {
        self.session.reporter.report(Progress::Waiting { at_most: self.time_left() });
        let (tokens, whose) = self.poll().await?;
        self.session.identify(tokens, whose).await
    }

    /// Polls until the login is over, well or not (RFC 8628 section 3.4).
    async fn poll(&self) -> Result<(TokenSet, Whose), LoginError> {
        let Self { session, device, deadline } = self;
        let grant = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device.device_code.expose()),
        ];
        let mut pace = Pace::new(device.interval);
        // Why the last poll had no answer.
        let mut trouble = None;
        loop {
            let next = Instant::now().checked_add(pace.pause()).unwrap_or(*deadline);
            sleep_until(next.min(*deadline)).await;
            if Instant::now() >= *deadline {
                return Err(expired(trouble));
            }
            let reply = session.post(&session.endpoints.token, &grant, &[]).await;
            let progress = match answer::tokens(reply, &device.device_code) {
                TokenAnswer::Tokens(tokens, whose) => return Ok((tokens, whose)),
                TokenAnswer::Failed(error, retry_after) if error.kind() == LoginErrorKind::Unreachable => {
                    pace.trouble(retry_after);
                    let message = error.to_string();
                    trouble = Some(error);
                    Progress::Trouble { message, next_in: pace.pause() }
                }
                TokenAnswer::Failed(error, _) => return Err(error),
                TokenAnswer::Pending => {
                    pace.answered();
                    trouble = None;
                    Progress::Pending { next_in: pace.pause() }
                }
                TokenAnswer::SlowDown(asked) => {
                    pace.slow_down(asked);
                    trouble = None;
                    Progress::SlowedDown { interval: pace.pause() }
                }
            };
            session.reporter.report(progress);
        }
    }
}

fn expired(trouble: Option<LoginError>) -> LoginError {
    let expired = LoginError::new(LoginErrorKind::Expired, "nobody confirmed the login in time; start again");
    match trouble {
        Some(trouble) => expired.with_source(trouble),
        None => expired,
    }
}

/// Without the codes.
impl fmt::Debug for DeviceLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceLogin")
            .field("session", &self.session)
            .field("verification_uri", &Shown(&self.device.verification_uri))
            .finish_non_exhaustive()
    }
}
