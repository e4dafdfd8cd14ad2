//! A login with a code for another device that has begun.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::time::Instant;

use super::answer::{self, Device, TokenAnswer};
use super::error::{LoginError, LoginErrorKind};
use super::http::Http;
use super::identity::Whose;
use super::logged_in::LoggedIn;
use super::pace::Pace;
use super::progress::{Progress, Reporter};
use super::protocol::{self, Asking, Soon, Step};
use super::session::Session;
use crate::credentials::origin::Shown;
use crate::credentials::{Secret, TokenSet};

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
        let (client, endpoints) = (&session.client, &session.endpoints);
        let (token, start) = (&endpoints.token, &endpoints.start);
        let reply = protocol::ask_for_device_code(client, token, start, &session.ask, &session.http).await?;
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
        let at_most = self.time_left();
        let Self { session, device, deadline } = self;
        session.reporter.report(Progress::Waiting { at_most });
        let polling = Polling {
            http: &session.http,
            reporter: &session.reporter,
            device_code: &device.device_code,
            deadline,
            state: Mutex::new(State { pace: Pace::new(device.interval), trouble: None, outcome: None }),
        };
        polling.pause().await;
        protocol::poll(&session.client, &session.endpoints.token, &device.device_code, &polling).await?;
        let (tokens, whose) = polling.outcome()?;
        session.identify(tokens, whose).await
    }
}

/// A login while it is polled.
struct Polling<'a> {
    http: &'a Http,
    reporter: &'a Reporter,
    device_code: &'a Secret,
    deadline: Instant,
    state: Mutex<State>,
}

struct State {
    pace: Pace,
    /// Why the last poll had no answer.
    trouble: Option<LoginError>,
    outcome: Option<Result<(TokenSet, Whose), LoginError>>,
}

impl Asking for Polling<'_> {
    fn ask(&self, request: Request<Bytes>) -> Soon<'_, Step> {
        Box::pin(async move {
            if Instant::now() >= self.deadline {
                return self.expired();
            }
            self.heard(answer::tokens(self.http.send(request).await, self.device_code))
        })
    }

    /// Waits until the next poll, or until the code has expired.
    fn pause(&self) -> Soon<'_, ()> {
        let next = Instant::now().checked_add(self.state().pace.pause()).unwrap_or(self.deadline);
        Box::pin(tokio::time::sleep_until(next.min(self.deadline)))
    }
}

impl Polling<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, answer: TokenAnswer) -> Step {
        let progress = {
            let mut state = self.state();
            match answer {
                TokenAnswer::Tokens(tokens, whose) => {
                    state.outcome = Some(Ok((tokens, whose)));
                    return Step::Done;
                }
                TokenAnswer::Failed(error, retry_after) if error.kind() == LoginErrorKind::Unreachable => {
                    state.pace.trouble(retry_after);
                    let progress = Progress::Trouble { message: error.to_string(), next_in: state.pace.pause() };
                    state.trouble = Some(error);
                    progress
                }
                TokenAnswer::Failed(error, _) => {
                    state.outcome = Some(Err(error));
                    return Step::Done;
                }
                TokenAnswer::Pending => {
                    state.pace.answered();
                    state.trouble = None;
                    Progress::Pending { next_in: state.pace.pause() }
                }
                TokenAnswer::SlowDown(asked) => {
                    state.pace.slow_down(asked);
                    state.trouble = None;
                    Progress::SlowedDown { interval: state.pace.pause() }
                }
            }
        };
        self.reporter.report(progress);
        Step::Again
    }

    fn expired(&self) -> Step {
        let mut state = self.state();
        let expired = LoginError::new(LoginErrorKind::Expired, "nobody confirmed the login in time; start again");
        state.outcome = Some(Err(match state.trouble.take() {
            Some(trouble) => expired.with_source(trouble),
            None => expired,
        }));
        Step::Done
    }

    fn outcome(self) -> Result<(TokenSet, Whose), LoginError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.outcome.unwrap_or_else(|| {
            Err(LoginError::config("the request for tokens could not be built; check clientId and its secret"))
        })
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
