//! The refresh of one credential, as the pool sees it: whether one is needed, under way or paused. Plain data, pure rules.

use std::time::{Duration, Instant};

use super::consequence::refresh_failed;
use crate::config::Settings;
use crate::pool::prepared::Access;
use crate::pool::refresh::failure::{LEASE_PATIENCE, Why};
use crate::sync::oneshot;
use crate::tokens::refresh::RefreshError;
use crate::verdict::OutReason;

/// The least time between two forced refreshes of one credential, so that a request that is always refused does not
/// spend refresh tokens.
const FORCED_REFRESH_FLOOR: Duration = Duration::from_secs(60);

/// The outcome of a refresh, as every waiter gets it.
pub(crate) type RefreshOutcome = Result<(), RefreshError>;

/// The state of one credential's refresh.
#[derive(Debug, Default)]
pub(crate) struct RefreshState {
    /// The waiters of the refresh that is under way, if one is.
    pub(in crate::pool) waiting: Option<Vec<oneshot::Sender<RefreshOutcome>>>,
    /// The provider refused the current token before its time.
    pub(crate) forced: bool,
    last_forced: Option<Instant>,
    /// How many refreshes in a row were refused without a stated time.
    refusals: u32,
    /// Until then a refresh is paused, unless a request has to wait for one.
    not_before: Option<Instant>,
    /// Why the refresh token is useless, if it is.
    pub(crate) login_lost: Option<OutReason>,
    /// The event that a person has to act has been sent.
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

    /// Whether a credential needs a refresh; `access` has the times of its token.
    pub(crate) fn need(&self, access: &Access, now: Instant) -> Need {
        let reached = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let valid = !self.forced && !reached(access.expires_at);
        let early = reached(access.refresh_at) && self.not_before.is_none_or(|not_before| not_before <= now);
        if self.login_lost.is_none() && (!valid || early) { Need::Refresh { valid } } else { Need::Nothing }
    }

    /// Joins the refresh that is under way, or begins one. Without a `waiter` the caller does not wait for it.
    pub(in crate::pool) fn join(&mut self, waiter: Option<oneshot::Sender<RefreshOutcome>>) {
        let waiting = self.waiting.get_or_insert_default();
        // Waiters that have gone away are removed when the list doubles, so that joining stays cheap for thousands.
        if waiting.len().is_power_of_two() {
            waiting.retain(|waiter| !waiter.is_closed());
        }
        waiting.extend(waiter);
    }

    /// Counts a failed refresh, and returns the pause until the next one.
    pub(in crate::pool) fn failed(
        &mut self,
        why: Why,
        stated: Option<Duration>,
        settings: &Settings,
        now: Instant,
    ) -> Duration {
        let pause = match why {
            // Another process is about to store a new token for all.
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

    /// Whether the token is useless and the last refresh has just failed. A probe would find the same.
    pub(in crate::pool) fn is_paused(&self, access: &Access, now: Instant) -> bool {
        let paused = self.not_before.is_some_and(|not_before| not_before > now);
        paused && self.need(access, now) == Need::Refresh { valid: false }
    }

    /// Ends the pause, because a person wants another try.
    pub(in crate::pool) fn end_pause(&mut self) {
        self.not_before = None;
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.waiting.is_some()
    }
}

/// Whether a credential needs a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// A new token. `valid` says whether the present one can be used until then.
    Refresh {
        valid: bool,
    },
}
