//! How far the replacing of one credential's token is, and whether it needs one: plain data and pure rules.

use std::time::{Duration, Instant};

use super::access::Access;
use super::failure::{LEASE_PATIENCE, Why};
use crate::notify::LoginReason;
use crate::refresh::RefreshError;
use crate::sync::oneshot;

/// The least time between two forced refreshes of one credential, so that a request that is always refused does not
/// spend refresh tokens.
const FORCED_REFRESH_FLOOR: Duration = Duration::from_secs(60);

/// How long a valid token is used without another try after an early refresh failed.
const EARLY_RETRY: Duration = Duration::from_secs(30);

/// What those who wait are told.
pub(crate) type Renewal = Result<(), RefreshError>;

/// How far the replacing of one credential's token is.
#[derive(Debug, Default)]
pub(crate) struct Renewing {
    /// Those who wait for the refresh that is under way.
    pub(super) waiting: Option<Vec<oneshot::Sender<Renewal>>>,
    /// The provider refused the current token before its time.
    pub(crate) forced: bool,
    last_forced: Option<Instant>,
    /// No early refresh before this.
    not_before: Option<Instant>,
    /// The refresh token is of no more use.
    pub(crate) login_lost: Option<LoginReason>,
    /// People have been told that they have to act.
    pub(crate) told: bool,
}

impl Renewing {
    pub(crate) fn force(&mut self, now: Instant) {
        self.forced = true;
        self.last_forced = Some(now);
    }

    pub(crate) fn may_force(&self, now: Instant) -> bool {
        let recently = self.last_forced.is_some_and(|last| now.saturating_duration_since(last) < FORCED_REFRESH_FLOOR);
        self.login_lost.is_none() && (self.forced || !recently)
    }

    pub(crate) fn settled(&mut self) {
        self.forced = false;
        self.not_before = None;
        self.login_lost = None;
        self.told = false;
    }

    /// What a credential needs whose token has these times.
    pub(crate) fn need(&self, access: &Access, now: Instant) -> Need {
        let reached = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let valid = !self.forced && !reached(access.expires_at);
        let early = reached(access.renew_at) && self.not_before.is_none_or(|not_before| not_before <= now);
        if self.login_lost.is_none() && (!valid || early) { Need::Renewal { valid } } else { Need::Nothing }
    }

    /// Counts a failure: a valid token is used for a while without another try.
    pub(super) fn failed(&mut self, why: Why, now: Instant) {
        let pause = if why == Why::Busy { LEASE_PATIENCE } else { EARLY_RETRY };
        self.not_before = now.checked_add(pause);
        self.login_lost = match why {
            Why::Login(reason) => Some(reason),
            Why::ForNow | Why::Busy => None,
        };
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.waiting.is_some()
    }
}

/// What a credential needs before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// A new token first; `valid` says whether the present one would still do.
    Renewal {
        valid: bool,
    },
}
