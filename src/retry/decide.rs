//! What to do after an attempt: one pure function.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::config::{OnBan, Resend, Settings, WhenAllCooling};
use crate::context::{Attempt, Call, Next};
use crate::verdict::{Kind, Processed, Verdict};

/// The pause before a request goes again to a provider that failed; half of it at the least.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest pause that an overloaded provider can ask for before the same credential is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The settings that bound one request.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The most credentials for one round.
    pub(crate) max_attempts: usize,
    pub(crate) network_retries: usize,
    pub(crate) max_wait: Duration,
    pub(crate) waits: bool,
    pub(crate) safe: bool,
    pub(crate) carries_bans: bool,
    pub(crate) attempt_timeout: Option<Duration>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            max_attempts: settings.max_attempts.map_or(usize::MAX, |most| most.get() as usize),
            network_retries: settings.network_retry_attempts as usize,
            max_wait: settings.max_wait,
            waits: settings.when_all_cooling == WhenAllCooling::Wait,
            safe: settings.resend == Resend::Safe,
            carries_bans: settings.on_ban == OnBan::Next,
            attempt_timeout: settings.attempt_timeout,
        }
    }
}

/// What is known beside the attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
    /// For how long the request has been waiting for recoveries, with what it tried between them.
    pub(crate) waited: Duration,
    /// Whether acting twice on the request does no harm: its method is idempotent, or it carries a key.
    pub(crate) idempotent: bool,
    /// From 0 to 1.
    pub(crate) jitter: f64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Stop,
    /// The same credential, after this pause.
    Same(Duration),
    /// The next credential, at once.
    Next,
    /// Wait until then, and begin a new round.
    Wait(Instant),
}

/// Decides. `pay` is asked only where the resend adds load to a provider that is failing.
pub(crate) fn decide(limits: &Limits, call: &Call, situation: &Situation, pay: impl FnOnce() -> bool) -> Decision {
    let Some(last) = call.last() else { return Decision::Stop };
    let Some(verdict) = last.verdict else { return Decision::Stop };
    if limits.safe && verdict.processed() == Processed::Maybe && !situation.idempotent {
        return Decision::Stop;
    }
    if situation.deadline.is_some_and(|deadline| deadline <= situation.now) {
        return Decision::Stop;
    }
    match verdict.kind() {
        Kind::Success | Kind::Rejected | Kind::Canceled => Decision::Stop,
        Kind::Banned if !limits.carries_bans => Decision::Stop,
        Kind::Network
            if call.times(last.credential.as_ref(), |kind| kind == Kind::Network) <= limits.network_retries =>
        {
            Decision::Same(Duration::ZERO)
        }
        Kind::Overloaded | Kind::ServerError => server_error(limits, call, last, &verdict, situation, pay),
        _ => go_on(limits, call, last, situation),
    }
}

/// Once more on the same credential, then one hop, then the answer stands: it is not the credential's fault.
fn server_error(
    limits: &Limits,
    call: &Call,
    last: &Attempt,
    verdict: &Verdict,
    situation: &Situation,
    pay: impl FnOnce() -> bool,
) -> Decision {
    let failed = |attempt: &&Attempt| attempt.verdict.is_some_and(|verdict| is_server_error(verdict.kind()));
    let failures: Vec<_> = call.round().filter(failed).collect();
    let pause =
        verdict.retry_after().unwrap_or_default().max(BACKOFF.mul_f64(0.5 + 0.5 * situation.jitter.clamp(0.0, 1.0)));
    let in_time = situation.deadline.is_none_or(|deadline| pause < deadline.saturating_duration_since(situation.now));
    if failures.len() == 1 && pause <= LONGEST_BACKOFF && in_time && pay() {
        return Decision::Same(pause);
    }
    let one_credential = failures.iter().all(|failure| failure.credential == last.credential);
    match last.next {
        Some(Next::Now) if one_credential => go_on(limits, call, last, situation),
        _ => Decision::Stop,
    }
}

fn is_server_error(kind: Kind) -> bool {
    matches!(kind, Kind::Overloaded | Kind::ServerError)
}

fn go_on(limits: &Limits, call: &Call, last: &Attempt, situation: &Situation) -> Decision {
    match last.next {
        Some(Next::Same) => Decision::Same(Duration::ZERO),
        Some(Next::Now) => {
            let used = || call.round().filter_map(|attempt| attempt.credential.as_ref()).collect::<HashSet<_>>().len();
            // Without a limit nothing is counted.
            let more = limits.max_attempts == usize::MAX || used() < limits.max_attempts;
            if more { Decision::Next } else { Decision::Stop }
        }
        Some(Next::At(when)) if limits.waits => {
            let wait = when.saturating_duration_since(situation.now);
            let in_time = situation.deadline.is_none_or(|deadline| when < deadline);
            let patient = situation.waited.saturating_add(wait) <= limits.max_wait;
            if in_time && patient { Decision::Wait(when) } else { Decision::Stop }
        }
        Some(Next::At(_) | Next::Never) | None => Decision::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::CredentialId;
    use crate::token::Generation;

    /// `(credential, verdict, next)` of each attempt.
    type Attempts<'a> = &'a [(&'a str, Verdict, Option<Next>)];

    fn after(attempts: Attempts<'_>) -> Call {
        let mut call = Call::default();
        for (credential, verdict, next) in attempts {
            call.begin(Some((CredentialId::from(*credential), Generation::FIRST)));
            call.judge(*verdict);
            if let Some(attempt) = call.last_mut() {
                attempt.next = *next;
            }
        }
        call
    }

    fn situation() -> Situation {
        Situation { now: crate::clock::now(), deadline: None, waited: Duration::ZERO, idempotent: false, jitter: 1.0 }
    }

    fn decided(settings: &Settings, attempts: Attempts<'_>) -> Decision {
        decide(&Limits::new(settings), &after(attempts), &situation(), || true)
    }

    const NOW: Option<Next> = Some(Next::Now);
    const NEVER: Option<Next> = Some(Next::Never);

    #[test]
    fn the_table() {
        let verdict = Verdict::new;
        let half = Decision::Same(BACKOFF);
        let cases: &[(&str, Attempts<'_>, Decision)] = &[
            ("success", &[("a", verdict(Kind::Success), None)], Decision::Stop),
            ("429, another ready", &[("a", verdict(Kind::Throttled), NOW)], Decision::Next),
            ("429, none left", &[("a", verdict(Kind::Throttled), NEVER)], Decision::Stop),
            (
                "401 to be refreshed",
                &[("a", verdict(Kind::Unauthorized), Some(Next::Same))],
                Decision::Same(Duration::ZERO),
            ),
            ("402", &[("a", verdict(Kind::Billing), NOW)], Decision::Next),
            ("400", &[("a", verdict(Kind::Rejected), NOW)], Decision::Stop),
            ("a ban", &[("a", verdict(Kind::Banned), NOW)], Decision::Stop),
            ("the caller went away", &[("a", verdict(Kind::Canceled), NOW)], Decision::Stop),
            ("network, first", &[("a", verdict(Kind::Network), NOW)], Decision::Same(Duration::ZERO)),
            (
                "network, again",
                &[("a", verdict(Kind::Network), NOW), ("a", verdict(Kind::Network), NOW)],
                Decision::Next,
            ),
            (
                "network on the next one",
                &[
                    ("a", verdict(Kind::Network), NOW),
                    ("a", verdict(Kind::Network), NOW),
                    ("b", verdict(Kind::Network), NEVER),
                ],
                Decision::Same(Duration::ZERO),
            ),
            (
                "network retries do not start afresh after another failure",
                &[
                    ("a", verdict(Kind::Network), NOW),
                    ("a", verdict(Kind::ServerError), NOW),
                    ("a", verdict(Kind::Network), NOW),
                ],
                Decision::Next,
            ),
            ("500, first", &[("a", verdict(Kind::ServerError), NOW)], half),
            (
                "500, again",
                &[("a", verdict(Kind::ServerError), NOW), ("a", verdict(Kind::Overloaded), NOW)],
                Decision::Next,
            ),
            (
                "500 twice, alone",
                &[("a", verdict(Kind::ServerError), NEVER), ("a", verdict(Kind::ServerError), NEVER)],
                Decision::Stop,
            ),
            (
                "500 after the hop",
                &[
                    ("a", verdict(Kind::ServerError), NOW),
                    ("a", verdict(Kind::ServerError), NOW),
                    ("b", verdict(Kind::ServerError), NOW),
                ],
                Decision::Stop,
            ),
        ];
        for (name, attempts, expected) in cases {
            assert_eq!(decided(&Settings::default(), attempts), *expected, "{name}");
        }
    }

    #[test]
    fn a_ban_is_carried_to_the_next_account_only_where_that_is_set() {
        let carried = Settings { on_ban: OnBan::Next, ..Settings::default() };
        assert_eq!(decided(&carried, &[("a", Verdict::new(Kind::Banned), NOW)]), Decision::Next);
        assert_eq!(decided(&carried, &[("a", Verdict::new(Kind::Banned), NEVER)]), Decision::Stop);
        let safe = Settings { resend: Resend::Safe, ..carried };
        let maybe = decided(&safe, &[("a", Verdict::new(Kind::Banned), NOW)]);
        assert_eq!(maybe, Decision::Stop, "a ban says nothing about whether it was processed");
    }

    #[test]
    fn without_a_budget_a_server_error_goes_straight_to_the_hop() {
        let call = after(&[("a", Verdict::new(Kind::ServerError), NOW)]);
        assert_eq!(decide(&Limits::new(&Settings::default()), &call, &situation(), || false), Decision::Next);
    }

    #[test]
    fn an_overloaded_provider_that_asks_for_a_long_pause_is_not_asked_again_over_the_same_credential() {
        let asks = |seconds| Verdict::new(Kind::Overloaded).with_retry_after(Duration::from_secs(seconds));
        assert_eq!(decided(&Settings::default(), &[("a", asks(3), NOW)]), Decision::Same(Duration::from_secs(3)));
        assert_eq!(decided(&Settings::default(), &[("a", asks(60), NOW)]), Decision::Next);
        assert_eq!(decided(&Settings::default(), &[("a", asks(60), NEVER)]), Decision::Stop);
    }

    #[test]
    fn a_wait_that_no_clock_can_name_is_too_long_and_no_panic() {
        let call = after(&[("a", Verdict::new(Kind::Overloaded).with_retry_after(Duration::MAX), NOW)]);
        let deadline = Some(situation().now + Duration::from_secs(60));
        let situation = Situation { deadline, ..situation() };
        assert_eq!(decide(&Limits::new(&Settings::default()), &call, &situation, || true), Decision::Next);
    }

    #[test]
    fn max_attempts_counts_credentials_not_sends() {
        let settings = Settings { max_attempts: std::num::NonZeroU32::new(2), ..Settings::default() };
        let throttled = Verdict::new(Kind::Throttled);
        assert_eq!(decided(&settings, &[("a", throttled, NOW)]), Decision::Next);
        assert_eq!(
            decided(&settings, &[("a", Verdict::new(Kind::Network), NOW), ("a", throttled, NOW)]),
            Decision::Next
        );
        assert_eq!(decided(&settings, &[("a", throttled, NOW), ("b", throttled, NOW)]), Decision::Stop);
    }

    #[test]
    fn waiting_needs_the_setting_the_patience_and_the_time() {
        let waits = Settings { when_all_cooling: WhenAllCooling::Wait, ..Settings::default() };
        let start = situation();
        let at = |seconds| start.now + Duration::from_secs(seconds);
        let decided = |settings: &Settings, seconds, situation| {
            let call = after(&[("a", Verdict::new(Kind::Throttled), Some(Next::At(at(seconds))))]);
            decide(&Limits::new(settings), &call, &situation, || true)
        };
        assert_eq!(decided(&Settings::default(), 5, start), Decision::Stop);
        assert_eq!(decided(&waits, 5, start), Decision::Wait(at(5)));
        assert_eq!(decided(&waits, 61, start), Decision::Stop);
        assert_eq!(decided(&waits, 5, Situation { waited: Duration::from_secs(56), ..start }), Decision::Stop);
        assert_eq!(decided(&waits, 5, Situation { deadline: Some(at(4)), ..start }), Decision::Stop);
        assert_eq!(decided(&waits, 5, Situation { deadline: Some(at(6)), ..start }), Decision::Wait(at(5)));
    }

    #[test]
    fn safe_resends_only_what_was_surely_not_processed_or_does_no_harm_twice() {
        let safe = Settings { resend: Resend::Safe, ..Settings::default() };
        let lost = Verdict::new(Kind::Network);
        let refused = lost.with_processed(Processed::No);
        assert_eq!(decided(&safe, &[("a", lost, NOW)]), Decision::Stop);
        assert_eq!(decided(&safe, &[("a", refused, NOW)]), Decision::Same(Duration::ZERO));
        assert_eq!(decided(&safe, &[("a", Verdict::new(Kind::Throttled), NOW)]), Decision::Next);
        assert_eq!(decided(&safe, &[("a", Verdict::new(Kind::ServerError), NOW)]), Decision::Stop);
        let call = after(&[("a", lost, NOW)]);
        let idempotent = Situation { idempotent: true, ..situation() };
        assert_eq!(decide(&Limits::new(&safe), &call, &idempotent, || true), Decision::Same(Duration::ZERO));
    }

    #[test]
    fn nothing_is_begun_after_the_deadline() {
        let call = after(&[("a", Verdict::new(Kind::Throttled), NOW)]);
        let late = Situation { deadline: Some(situation().now), ..situation() };
        assert_eq!(decide(&Limits::new(&Settings::default()), &call, &late, || true), Decision::Stop);
    }
}
