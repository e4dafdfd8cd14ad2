//! The refresh of one credential, as the state knows it: whether one is needed, under way or paused. Plain data, pure
//! rules.
//!
//! The task that refreshes is `pool/refresh`; it tells this room how it begins (`begin`) and ends (`end`). It is not a flag
//! in the task, because a pick has to see under the lock whether a token is good, and thousands of requests share one refresh.

pub(in crate::pool::state) mod begin;
pub(in crate::pool::state) mod end;

use std::time::{Duration, Instant};

use super::consequence::refresh_failed;
use crate::config::Settings;
use crate::pool::prepared::Access;
use crate::sync::oneshot;
use crate::tokens::refresh::RefreshError;
use crate::verdict::OutReason;

/// The least time between two forced refreshes of one credential, so that a request that is always refused does not
/// spend refresh tokens.
const FORCED_REFRESH_FLOOR: Duration = Duration::from_secs(60);

/// How long a refresh waits while another process refreshes the same credential. It is longer than a refresh takes at a
/// healthy OAuth server. It is short enough that a request goes on with another account before it loses patience.
pub(in crate::pool) const LEASE_PATIENCE: Duration = Duration::from_secs(5);

/// The outcome of a refresh, which every waiter gets.
pub(crate) type RefreshOutcome = Result<(), RefreshError>;

/// The state of one credential's refresh.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct RefreshState {
    /// The waiters of the refresh that is under way, if one is.
    waiting: Option<Vec<oneshot::Sender<RefreshOutcome>>>,
    /// Whether the provider refused the current token before it expired.
    pub(in crate::pool::state) forced: bool,
    last_forced: Option<Instant>,
    /// How many refreshes in a row were refused without a stated time.
    refusals: u32,
    /// The end of the pause between refreshes. A request that has to wait for a refresh does not keep to it.
    not_before: Option<Instant>,
    /// Why the refresh token is useless, if it is.
    pub(in crate::pool::state) login_lost: Option<OutReason>,
    /// Whether the event was sent that a person has to act.
    pub(in crate::pool::state) is_reported: bool,
}

impl RefreshState {
    pub(in crate::pool::state) fn force(&mut self, now: Instant) {
        self.forced = true;
        self.last_forced = Some(now);
    }

    pub(in crate::pool::state) fn may_force(&self, now: Instant) -> bool {
        let recently = self.last_forced.is_some_and(|last| now.saturating_duration_since(last) < FORCED_REFRESH_FLOOR);
        self.login_lost.is_none() && (self.forced || !recently)
    }

    pub(in crate::pool::state) fn settled(&mut self) {
        self.forced = false;
        self.refusals = 0;
        self.not_before = None;
        self.login_lost = None;
        self.is_reported = false;
    }

    /// Marks that the event is sent that a person has to act. False if it was sent before.
    pub(in crate::pool::state) fn report_once(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// Whether a credential needs a refresh; `access` has the times of its token.
    pub(in crate::pool::state) fn need(&self, access: &Access, now: Instant) -> Need {
        let reached = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let valid = !self.forced && !reached(access.expires_at);
        let early = reached(access.refresh_at) && self.not_before.is_none_or(|not_before| not_before <= now);
        if self.login_lost.is_none() && (!valid || early) { Need::Refresh { valid } } else { Need::Nothing }
    }

    /// Joins the refresh that is under way, or begins one. Without a `waiter` the caller does not wait for it.
    fn join(&mut self, waiter: Option<oneshot::Sender<RefreshOutcome>>) {
        let waiting = self.waiting.get_or_insert_default();
        // Waiters that have gone away are removed when the list doubles, so that joining stays cheap for thousands.
        if waiting.len().is_power_of_two() {
            waiting.retain(|waiter| !waiter.is_closed());
        }
        waiting.extend(waiter);
    }

    /// Counts a failed refresh, and returns the pause until the next one.
    fn failed(&mut self, why: WhyNoToken, stated: Option<Duration>, settings: &Settings, now: Instant) -> Duration {
        let pause = match why {
            // Another process is about to store a new token, which this pool takes over.
            WhyNoToken::Busy => LEASE_PATIENCE,
            WhyNoToken::Refused => refresh_failed(settings, stated, self.refusals),
            WhyNoToken::ForNow | WhyNoToken::Login(_) => refresh_failed(settings, stated, 0),
        };
        if why == WhyNoToken::Refused && stated.is_none() {
            self.refusals = self.refusals.saturating_add(1);
        }
        self.not_before = now.checked_add(pause);
        self.login_lost = match why {
            WhyNoToken::Login(reason) => Some(reason),
            WhyNoToken::ForNow | WhyNoToken::Refused | WhyNoToken::Busy => None,
        };
        pause
    }

    /// Whether the token is useless and the last refresh has just failed, so that a probe would only show the same.
    pub(in crate::pool::state) fn is_paused(&self, access: &Access, now: Instant) -> bool {
        let paused = self.not_before.is_some_and(|not_before| not_before > now);
        paused && self.need(access, now) == Need::Refresh { valid: false }
    }

    /// Ends the pause, because a person wants another attempt.
    pub(in crate::pool::state) fn end_pause(&mut self) {
        self.not_before = None;
    }

    pub(in crate::pool::state) fn is_under_way(&self) -> bool {
        self.waiting.is_some()
    }
}

/// Whether a credential needs a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Need {
    Nothing,
    /// A new token. `valid` says whether the present one can be used until then.
    Refresh {
        valid: bool,
    },
}

/// Why a refresh brought no token: the part that matters for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum WhyNoToken {
    /// It failed without a refusal, for example because of the network.
    ForNow,
    /// The token endpoint, or the user's token source, has refused for now. This may repeat for ever, so the pause
    /// grows.
    Refused,
    /// Another process is refreshing the credential, and has not ended in time.
    Busy,
    /// The refresh token is useless: a person has to log in.
    Login(OutReason),
}
