//! How far the replacing of one credential's token is, and whether it needs one: plain data and pure rules.

use std::time::{Duration, Instant};

use super::consequence::refresh_failed;
use crate::config::Settings;
use crate::events::LoginReason;
use crate::pool::prepared::Access;
use crate::pool::refresh::failure::{LEASE_PATIENCE, Why};
use crate::sync::oneshot;
use crate::tokens::refresh::RefreshError;

/// The least time between two forced refreshes of one credential, so that a request that is always refused does not
/// spend refresh tokens.
const FORCED_REFRESH_FLOOR: Duration = Duration::from_secs(60);

/// What those who wait are told.
pub(crate) type RefreshOutcome = Result<(), RefreshError>;

/// How far the replacing of one credential's token is.
#[derive(Debug, Default)]
pub(crate) struct RefreshState {
    /// Those who wait for the refresh that is under way.
    pub(in crate::pool) waiting: Option<Vec<oneshot::Sender<RefreshOutcome>>>,
    /// The provider refused the current token before its time.
    pub(crate) forced: bool,
    last_forced: Option<Instant>,
    /// How often in a row the refresh was refused without a stated time.
    refusals: u32,
    /// No refresh in the background begins before this.
    not_before: Option<Instant>,
    /// The refresh token is of no more use.
    pub(crate) login_lost: Option<LoginReason>,
    /// People have been told that they have to act.
    pub(crate) told: bool,
}

impl RefreshState {
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
        self.refusals = 0;
        self.not_before = None;
        self.login_lost = None;
        self.told = false;
    }

    /// What a credential needs whose token has these times.
    pub(crate) fn need(&self, access: &Access, now: Instant) -> Need {
        let reached = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let valid = !self.forced && !reached(access.expires_at);
        let early = reached(access.refresh_at) && self.not_before.is_none_or(|not_before| not_before <= now);
        if self.login_lost.is_none() && (!valid || early) { Need::RefreshOutcome { valid } } else { Need::Nothing }
    }

    /// Joins the refresh that is under way, or begins one. Without a `waiter` it runs in the background.
    pub(in crate::pool) fn join(&mut self, waiter: Option<oneshot::Sender<RefreshOutcome>>) {
        let waiting = self.waiting.get_or_insert_default();
        // Waiters that have gone are removed each time the list has doubled, so that joining stays cheap among
        // thousands.
        if waiting.len().is_power_of_two() {
            waiting.retain(|waiter| !waiter.is_closed());
        }
        waiting.extend(waiter);
    }

    /// Counts a failure, and returns the pause before the next refresh in the background.
    pub(in crate::pool) fn failed(
        &mut self,
        why: Why,
        stated: Option<Duration>,
        settings: &Settings,
        now: Instant,
    ) -> Duration {
        let pause = match why {
            // Others are about to have a new token, for all.
            Why::Busy => LEASE_PATIENCE,
            Why::Refused => refresh_failed(settings, stated, self.refusals),
            Why::ForNow | Why::Login(_) => refresh_failed(settings, stated, 0),
        };
        if why == Why::Refused && stated.is_none() {
            self.refusals = self.refusals.saturating_add(1);
        }
        self.not_before = now.checked_add(pause);
        self.login_lost = match why {
            Why::Login(reason) => Some(reason),
            Why::ForNow | Why::Refused | Why::Busy => None,
        };
        pause
    }

    /// Whether its token is of no use and its refresh has just failed: a probe would only ask the token endpoint again.
    pub(in crate::pool) fn is_paused(&self, access: &Access, now: Instant) -> bool {
        let paused = self.not_before.is_some_and(|not_before| not_before > now);
        paused && self.need(access, now) == Need::RefreshOutcome { valid: false }
    }

    /// A person wants it to be tried again.
    pub(in crate::pool) fn end_pause(&mut self) {
        self.not_before = None;
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.waiting.is_some()
    }
}

/// What a credential needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// A new token; `valid` says whether the present one is used as long as there is none.
    RefreshOutcome {
        valid: bool,
    },
}
