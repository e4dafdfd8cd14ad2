//! What an attempt's outcome means for its credential: a pure table.

use std::time::Duration;

use crate::config::Settings;
use crate::verdict::OutReason;
use crate::verdict::{Kind, Scope, Verdict};

/// The cooldown of a credential whose refresh failed for now, at first.
const REFRESH_FAILED: Duration = Duration::from_secs(30);

/// What the table needs to know besides the verdict.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// Whether the token that was used is still the current one.
    pub(super) current: bool,
    /// Whether the token can be refreshed now: there is a way, and the last forced refresh is long enough ago.
    pub(super) refreshable: bool,
    /// Why the refresh token is useless, if that is known.
    pub(super) login_lost: Option<OutReason>,
    /// Whether this request has already used this credential with a refreshed token.
    pub(super) refreshed: bool,
    /// Whether another credential was refused with 403 for the same request.
    pub(super) refused_elsewhere: bool,
    /// Whether another credential is ready for this request.
    pub(super) others: bool,
    /// Whether the request, after a failed connection, is not sent with this credential again.
    pub(super) is_last_attempt: bool,
    /// Whether the credential has an origin of its own, so that a broken connection is its own fault.
    pub(super) own_origin: bool,
}

/// What follows for the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing changes.
    Untouched,
    /// The success is counted, and ends cooldowns.
    Succeeded,
    /// A failure is counted, and nothing else changes.
    Counted,
    /// It goes to the back of the order.
    ToBack,
    /// It cools, and then joins the back of the order.
    Cool { length: Duration, guessed: bool },
    /// Its token is refreshed, and the same request goes out with the new one.
    Refresh,
    /// Its token has been refreshed meanwhile; the same request goes out with the new token.
    Again,
    /// It cools only if another credential is then not refused for the same request.
    Suspect,
    /// It is out until a person acts.
    Out(OutReason),
}

/// What follows from `verdict` for the credential, given the facts.
pub(super) fn consequence(settings: &Settings, verdict: &Verdict, facts: Facts) -> Consequence {
    match (verdict.kind(), verdict.scope()) {
        (Kind::Success, _) => Consequence::Succeeded,
        (Kind::Canceled | Kind::Rejected, _) | (_, Scope::Request | Scope::Provider) => Consequence::Untouched,
        (Kind::Overloaded | Kind::ServerError, _) | (Kind::Forbidden, Scope::Network) => Consequence::Untouched,
        (Kind::Network, _) if !facts.is_last_attempt => Consequence::Counted,
        (Kind::Network, _) if facts.own_origin && facts.current => {
            Consequence::Cool { length: settings.rate_limit_cooldown.min(settings.max_cooldown), guessed: true }
        }
        (Kind::Network, _) => Consequence::ToBack,
        (Kind::Unauthorized, _) | (Kind::Forbidden, Scope::Generation) if !facts.current && !facts.refreshed => {
            Consequence::Again
        }
        // The answer to an older token says nothing about the current one.
        _ if !facts.current => Consequence::Counted,
        (Kind::Unauthorized, _) => unauthorized(settings, facts),
        // The provider says what it refuses, so a new token would not help, and no second credential has to confirm it.
        (Kind::Forbidden, Scope::Credential | Scope::Model) => not_accepted(settings),
        (Kind::Forbidden, _) => forbidden(facts),
        (Kind::Revoked, _) => Consequence::Out(OutReason::Revoked),
        (Kind::Banned, _) => Consequence::Out(OutReason::Banned),
        (Kind::Billing, _) => {
            Consequence::Cool { length: settings.payment_cooldown.min(settings.max_cooldown), guessed: true }
        }
        (Kind::Throttled | Kind::QuotaExhausted, _) => throttled(settings, verdict),
    }
}

/// The pause after a refresh that failed for now. Without a stated time it grows with the `earlier` refusals in a row; a
/// stated time does not grow.
pub(super) fn refresh_failed(settings: &Settings, stated: Option<Duration>, earlier: u32) -> Duration {
    let pause = match stated {
        Some(stated) => stated.max(REFRESH_FAILED),
        None => grown(REFRESH_FAILED, earlier, settings.max_grown_cooldown),
    };
    pause.min(settings.max_cooldown)
}

/// The longest pause that [`refresh_failed`] gives without a stated time.
pub(super) fn longest_after_refusals(settings: &Settings) -> Duration {
    refresh_failed(settings, None, u32::MAX)
}

/// `first`, doubled with each repetition, up to `most` (or `first`, if that is longer).
fn grown(first: Duration, earlier: u32, most: Duration) -> Duration {
    let doubled = 2_u32.checked_pow(earlier).map_or(Duration::MAX, |times| first.saturating_mul(times));
    doubled.min(most.max(first))
}

/// The cooldown of a credential whose token the provider does not accept.
pub(super) fn not_accepted(settings: &Settings) -> Consequence {
    Consequence::Cool { length: settings.auth_failure_cooldown.min(settings.max_cooldown), guessed: true }
}

fn throttled(settings: &Settings, verdict: &Verdict) -> Consequence {
    match verdict.stated_pause() {
        Some(stated) => Consequence::Cool { length: stated.min(settings.max_cooldown), guessed: false },
        None => Consequence::Cool { length: settings.rate_limit_cooldown.min(settings.max_cooldown), guessed: true },
    }
}

fn unauthorized(settings: &Settings, facts: Facts) -> Consequence {
    if facts.refreshable && !facts.refreshed {
        Consequence::Refresh
    } else if let Some(reason) = facts.login_lost {
        Consequence::Out(reason)
    } else {
        not_accepted(settings)
    }
}

/// What follows from a 403. If two credentials are refused alike, or there is no other one, the request is at fault.
fn forbidden(facts: Facts) -> Consequence {
    if facts.refused_elsewhere {
        Consequence::Untouched
    } else if facts.refreshable && !facts.refreshed {
        Consequence::Refresh
    } else if facts.others {
        Consequence::Suspect
    } else {
        Consequence::Untouched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Facts = Facts {
        current: true,
        refreshable: true,
        login_lost: None,
        refreshed: false,
        refused_elsewhere: false,
        others: true,
        is_last_attempt: true,
        own_origin: false,
    };

    fn cool(seconds: u64, guessed: bool) -> Consequence {
        Consequence::Cool { length: Duration::from_secs(seconds), guessed }
    }

    #[test]
    fn the_table() {
        let old = Facts { current: false, ..FRESH };
        let refreshed = Facts { refreshed: true, ..FRESH };
        let key = Facts { refreshable: false, ..FRESH };
        let alone = Facts { others: false, ..key };
        let hour = Duration::from_secs(3600);
        let cases = [
            (Verdict::new(Kind::Success), FRESH, Consequence::Succeeded),
            (Verdict::new(Kind::Throttled), FRESH, cool(30, true)),
            (Verdict::new(Kind::Throttled).with_retry_after(hour), FRESH, cool(3600, false)),
            (Verdict::new(Kind::Throttled).with_retry_after(Duration::ZERO), FRESH, cool(1, false)),
            (Verdict::new(Kind::QuotaExhausted).with_retry_after(Duration::from_millis(1)), FRESH, cool(1, false)),
            (Verdict::new(Kind::Throttled).with_retry_after(hour * 24 * 365), FRESH, cool(691_200, false)),
            (Verdict::new(Kind::Throttled).with_retry_after(Duration::ZERO), FRESH, cool(1, false)),
            (Verdict::new(Kind::Throttled), old, Consequence::Counted),
            (Verdict::new(Kind::Throttled).with_scope(Scope::Provider), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::QuotaExhausted).with_retry_after(hour), FRESH, cool(3600, false)),
            (Verdict::new(Kind::Billing), FRESH, cool(3600, true)),
            (Verdict::new(Kind::Unauthorized), FRESH, Consequence::Refresh),
            (Verdict::new(Kind::Unauthorized), old, Consequence::Again),
            (Verdict::new(Kind::Unauthorized), Facts { refreshed: true, ..old }, Consequence::Counted),
            (Verdict::new(Kind::Unauthorized), refreshed, cool(300, true)),
            (Verdict::new(Kind::Unauthorized), key, cool(300, true)),
            (
                Verdict::new(Kind::Unauthorized),
                Facts { login_lost: Some(OutReason::RefreshLost), ..key },
                Consequence::Out(OutReason::RefreshLost),
            ),
            (Verdict::new(Kind::Forbidden), FRESH, Consequence::Refresh),
            (Verdict::new(Kind::Forbidden), refreshed, Consequence::Suspect),
            (Verdict::new(Kind::Forbidden), key, Consequence::Suspect),
            (Verdict::new(Kind::Forbidden), alone, Consequence::Untouched),
            (Verdict::new(Kind::Forbidden), Facts { refused_elsewhere: true, ..FRESH }, Consequence::Untouched),
            (Verdict::new(Kind::Forbidden).with_scope(Scope::Model), FRESH, cool(300, true)),
            (Verdict::new(Kind::Forbidden).with_scope(Scope::Credential), alone, cool(300, true)),
            (Verdict::new(Kind::Forbidden).with_scope(Scope::Credential), old, Consequence::Counted),
            (Verdict::new(Kind::Forbidden).with_scope(Scope::Network), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::Revoked), FRESH, Consequence::Out(OutReason::Revoked)),
            (Verdict::new(Kind::Banned), FRESH, Consequence::Out(OutReason::Banned)),
            (Verdict::new(Kind::Banned), old, Consequence::Counted),
            (Verdict::new(Kind::Overloaded), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::ServerError), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::Rejected), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::Canceled), FRESH, Consequence::Untouched),
            (Verdict::new(Kind::Network), FRESH, Consequence::ToBack),
            (Verdict::new(Kind::Network), Facts { is_last_attempt: false, ..FRESH }, Consequence::Counted),
            (Verdict::new(Kind::Network), Facts { own_origin: true, ..FRESH }, cool(30, true)),
        ];
        let settings = Settings::default();
        for (verdict, facts, expected) in cases {
            assert_eq!(consequence(&settings, &verdict, facts), expected, "{verdict} {facts:?}");
        }
    }

    #[test]
    fn a_failed_refresh_cools_for_at_least_half_a_minute() {
        let settings = Settings::default();
        for earlier in [0, 1, 9] {
            let stated = |seconds| refresh_failed(&settings, Some(Duration::from_secs(seconds)), earlier).as_secs();
            assert_eq!((stated(1), stated(90), stated(7200)), (30, 90, 7200), "a stated time does not grow");
        }
    }

    #[test]
    fn a_refusal_that_repeats_doubles_the_cooldown_up_to_the_setting() {
        let at_most = |seconds, earlier| {
            let most = Duration::from_secs(seconds);
            let settings = Settings { max_grown_cooldown: most, ..Settings::default() };
            refresh_failed(&settings, None, earlier).as_secs()
        };
        let grown: Vec<_> = (0..9).map(|earlier| at_most(3600, earlier)).collect();
        assert_eq!(grown, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!([31, 32, 1000, u32::MAX].map(|earlier| at_most(3600, earlier)), [3600; 4]);
        assert_eq!([0, 1, 9].map(|earlier| at_most(1, earlier)), [30; 3], "never less than the first one");
        assert_eq!(at_most(366 * 86_400, 40), 691_200, "nor more than any cooldown may be");
        let day = std::iter::successors(Some((0, 0_u64)), |(sent, at)| Some((sent + 1, at + at_most(3600, *sent))));
        let sent = day.take_while(|(_, at)| *at < 86_400).count();
        assert_eq!(sent, 30, "a dead refresh token is sent so often in a day, and not 2,880 times");
    }
}
