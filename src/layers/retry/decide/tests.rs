//! Tables of attempts and the decision that follows them.

use super::*;
use crate::credentials::{CredentialId, Generation};

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
    let now = crate::clock::now();
    let waited = Duration::ZERO;
    Situation { now, deadline: None, round_began: now, waited, idempotent: false, jitter: 1.0 }
}

fn decided(settings: &Settings, attempts: Attempts<'_>) -> Decision {
    decide(&Limits::new(settings), &after(attempts), &situation(), || true)
}

/// The same credential, after a pause.
fn pause(millis: u64) -> Decision {
    Decision::Same(Duration::from_millis(millis))
}

/// The decision when the budget pays for no resend.
fn without_budget(attempts: Attempts<'_>, next_serves: bool) -> Decision {
    let mut call = after(attempts);
    call.next_serves = next_serves;
    decide(&Limits::new(&Settings::default()), &call, &situation(), || false)
}

const LOST: Verdict = Verdict::new(Kind::Network);
const BROKE: Verdict = LOST.with_lost(Lost::BeforeAnswer);
const TIMED_OUT: Verdict = LOST.with_lost(Lost::TimedOut);
const UNSENT: Verdict = LOST.with_processed(Processed::No).with_lost(Lost::Unsent);
const NEXT: Decision = Decision::Next(Duration::ZERO);
const AGAIN: Decision = Decision::Same(Duration::ZERO);
const NOW: Option<Next> = Some(Next::Now);
const NEVER: Option<Next> = Some(Next::Never);

#[test]
fn the_table() {
    let verdict = Verdict::new;
    let half = Decision::Same(BACKOFF);
    let cases: &[(&str, Attempts<'_>, Decision)] = &[
        ("success", &[("a", verdict(Kind::Success), None)], Decision::Stop),
        ("429, another ready", &[("a", verdict(Kind::Throttled), NOW)], NEXT),
        ("429, none left", &[("a", verdict(Kind::Throttled), NEVER)], Decision::Stop),
        (
            "401 to be refreshed",
            &[("a", verdict(Kind::Unauthorized), Some(Next::Same))],
            Decision::Same(Duration::ZERO),
        ),
        ("402", &[("a", verdict(Kind::Billing), NOW)], NEXT),
        ("400", &[("a", verdict(Kind::Rejected), NOW)], Decision::Stop),
        ("a ban", &[("a", verdict(Kind::Banned), NOW)], Decision::Stop),
        ("the caller went away", &[("a", verdict(Kind::Canceled), NOW)], Decision::Stop),
        ("no connection", &[("a", LOST, NOW)], pause(250)),
        ("no connection, again", &[("a", LOST, NOW), ("a", LOST, NOW)], Decision::Next(Duration::from_millis(500))),
        ("no connection, on the next one", &[("a", LOST, NOW), ("a", LOST, NOW), ("b", LOST, NEVER)], pause(1_000)),
        ("no connection, of the last one", &[("a", LOST, NEVER), ("a", LOST, NEVER)], Decision::Stop),
        ("a connection broke", &[("a", BROKE, NOW)], AGAIN),
        ("a connection broke, again", &[("a", BROKE, NOW), ("a", BROKE, NOW)], pause(250)),
        (
            "a connection broke, a third time",
            &[("a", BROKE, NOW), ("a", BROKE, NOW), ("a", LOST, NOW)],
            Decision::Next(Duration::from_millis(500)),
        ),
        (
            "a connection broke, on the next one",
            &[("a", BROKE, NOW), ("a", BROKE, NOW), ("a", BROKE, NOW), ("b", BROKE, NOW)],
            pause(1_000),
        ),
        ("no answer in time", &[("a", TIMED_OUT, NOW)], NEXT),
        ("no answer in time, none left", &[("a", TIMED_OUT, NEVER)], Decision::Stop),
        (
            "network retries do not start afresh after another failure",
            &[("a", LOST, NOW), ("a", verdict(Kind::ServerError), NOW), ("a", LOST, NOW)],
            Decision::Next(Duration::from_millis(500)),
        ),
        ("500, first", &[("a", verdict(Kind::ServerError), NOW)], half),
        ("500, again", &[("a", verdict(Kind::ServerError), NOW), ("a", verdict(Kind::Overloaded), NOW)], NEXT),
        (
            "500 twice, alone",
            &[("a", verdict(Kind::ServerError), NEVER), ("a", verdict(Kind::ServerError), NEVER)],
            Decision::Stop,
        ),
        (
            "500 after the failover",
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
    assert_eq!(decided(&carried, &[("a", Verdict::new(Kind::Banned), NOW)]), NEXT);
    assert_eq!(decided(&carried, &[("a", Verdict::new(Kind::Banned), NEVER)]), Decision::Stop);
    let safe = Settings { resend: Resend::Safe, ..carried };
    let maybe = decided(&safe, &[("a", Verdict::new(Kind::Banned), NOW)]);
    assert_eq!(maybe, Decision::Stop, "a ban says nothing about whether it was processed");
}

#[test]
fn without_a_budget_one_step_to_a_credential_that_serves_is_left() {
    for failure in [Verdict::new(Kind::ServerError), Verdict::new(Kind::Overloaded), TIMED_OUT] {
        assert_eq!(without_budget(&[("a", failure, NOW)], true), NEXT, "{failure}");
        assert_eq!(without_budget(&[("a", failure, NOW)], false), Decision::Stop, "{failure}");
        assert_eq!(without_budget(&[("a", failure, NEVER)], false), Decision::Stop, "{failure}");
    }
    assert_eq!(without_budget(&[("a", LOST, NOW)], true), Decision::Next(NETWORK_PAUSE));
    assert_eq!(without_budget(&[("a", LOST, NOW)], false), Decision::Stop);
    let twice = [("a", TIMED_OUT, NOW), ("b", TIMED_OUT, NOW)];
    assert_eq!(without_budget(&twice, true), Decision::Stop, "one step is free");
    for free in [Verdict::new(Kind::Throttled), UNSENT] {
        assert_eq!(without_budget(&[("a", free, NOW), ("b", TIMED_OUT, NOW)], true), NEXT, "it has not been taken");
    }
}

#[test]
fn what_was_not_sent_costs_nothing_and_counts_as_no_try() {
    assert_eq!(without_budget(&[("a", UNSENT, NOW)], false), NEXT);
    assert_eq!(without_budget(&[("a", UNSENT, NOW), ("b", UNSENT, NOW)], false), NEXT);
    assert_eq!(without_budget(&[("a", UNSENT, NEVER)], false), Decision::Stop);
    let lost_after = [("a", UNSENT, NOW), ("a", LOST, NOW)];
    assert_eq!(decided(&Settings::default(), &lost_after), pause(250), "the first of its connections that failed");
}

#[test]
fn what_concerns_one_credential_and_the_first_old_connection_cost_nothing() {
    for kind in [Kind::Throttled, Kind::QuotaExhausted, Kind::Unauthorized, Kind::Forbidden, Kind::Billing] {
        assert_eq!(without_budget(&[("a", Verdict::new(kind), NOW)], false), NEXT, "{kind:?}");
    }
    assert_eq!(without_budget(&[("a", BROKE, NOW)], false), AGAIN);
    assert_eq!(without_budget(&[("a", BROKE, NOW), ("a", BROKE, NOW)], false), Decision::Stop);
}

#[test]
fn without_network_retries_the_next_one_is_tried_in_place_of_the_same() {
    let settings = Settings { network_retry_attempts: 0, ..Settings::default() };
    assert_eq!(decided(&settings, &[("a", BROKE, NOW)]), NEXT);
    assert_eq!(decided(&settings, &[("a", LOST, NOW)]), Decision::Next(NETWORK_PAUSE));
    assert_eq!(decided(&settings, &[("a", BROKE, NOW), ("b", BROKE, NOW)]), Decision::Next(NETWORK_PAUSE));
}

#[test]
fn no_pause_lasts_past_the_deadline() {
    let millis = |millis| Some(situation().now + Duration::from_millis(millis));
    let decided = |attempts, deadline| {
        let situation = Situation { deadline, ..situation() };
        decide(&Limits::new(&Settings::default()), &after(attempts), &situation, || true)
    };
    assert_eq!(decided(&[("a", LOST, NOW)], millis(200)), Decision::Stop);
    assert_eq!(decided(&[("a", LOST, NOW)], millis(300)), pause(250));
    assert_eq!(decided(&[("a", Verdict::new(Kind::ServerError), NOW)], millis(300)), NEXT);
}

#[test]
fn an_overloaded_provider_that_asks_for_a_long_pause_is_not_asked_again_over_the_same_credential() {
    let asks = |seconds| Verdict::new(Kind::Overloaded).with_retry_after(Duration::from_secs(seconds));
    assert_eq!(decided(&Settings::default(), &[("a", asks(3), NOW)]), Decision::Same(Duration::from_secs(3)));
    let hasty = Verdict::new(Kind::Overloaded).with_retry_after(Duration::from_millis(1));
    assert_eq!(decided(&Settings::default(), &[("a", hasty, NOW)]), Decision::Same(Duration::from_secs(1)));
    assert_eq!(decided(&Settings::default(), &[("a", asks(60), NOW)]), NEXT);
    assert_eq!(decided(&Settings::default(), &[("a", asks(60), NEVER)]), Decision::Stop);
}

#[test]
fn a_wait_that_no_clock_can_name_is_too_long_and_no_panic() {
    let call = after(&[("a", Verdict::new(Kind::Overloaded).with_retry_after(Duration::MAX), NOW)]);
    let deadline = Some(situation().now + Duration::from_secs(60));
    let situation = Situation { deadline, ..situation() };
    assert_eq!(decide(&Limits::new(&Settings::default()), &call, &situation, || true), NEXT);
}

#[test]
fn max_attempts_counts_credentials_not_sends() {
    let settings = Settings { max_attempts: std::num::NonZeroU32::new(2), ..Settings::default() };
    let throttled = Verdict::new(Kind::Throttled);
    assert_eq!(decided(&settings, &[("a", throttled, NOW)]), NEXT);
    assert_eq!(decided(&settings, &[("a", LOST, NOW), ("a", throttled, NOW)]), NEXT);
    assert_eq!(decided(&settings, &[("a", throttled, NOW), ("b", throttled, NOW)]), Decision::Enough);
    assert_eq!(decided(&settings, &[("a", throttled, NOW), ("b", throttled, NEVER)]), Decision::Stop);
    let ids: Vec<_> = (0..16).map(|at| format!("a{at}")).collect();
    let sixteen: Vec<_> = ids.iter().map(|id| (id.as_str(), throttled, NOW)).collect();
    assert_eq!(decided(&Settings::default(), &sixteen[..15]), NEXT);
    assert_eq!(decided(&Settings::default(), &sixteen), Decision::Enough);
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
    // A round begins at the earliest a second after the one before.
    assert_eq!(decided(&waits, 0, start), Decision::Wait(at(1)));
    let earlier = Situation { now: at(10), ..start };
    assert_eq!(decided(&waits, 0, earlier), Decision::Wait(at(1)), "that time is over");
    assert_eq!(decided(&waits, 0, Situation { deadline: Some(at(1)), ..start }), Decision::Stop);
}

#[test]
fn safe_resends_only_what_was_surely_not_processed_or_does_no_harm_twice() {
    let safe = Settings { resend: Resend::Safe, ..Settings::default() };
    let refused = LOST.with_processed(Processed::No);
    for lost in [LOST, BROKE, TIMED_OUT] {
        assert_eq!(decided(&safe, &[("a", lost, NOW)]), Decision::Stop);
    }
    assert_eq!(decided(&safe, &[("a", refused, NOW)]), pause(250));
    assert_eq!(decided(&safe, &[("a", Verdict::new(Kind::Throttled), NOW)]), NEXT);
    assert_eq!(decided(&safe, &[("a", Verdict::new(Kind::ServerError), NOW)]), Decision::Stop);
    let call = after(&[("a", BROKE, NOW)]);
    let idempotent = Situation { idempotent: true, ..situation() };
    assert_eq!(decide(&Limits::new(&safe), &call, &idempotent, || true), AGAIN);
}

#[test]
fn nothing_is_begun_after_the_deadline() {
    let call = after(&[("a", Verdict::new(Kind::Throttled), NOW)]);
    let late = Situation { deadline: Some(situation().now), ..situation() };
    assert_eq!(decide(&Limits::new(&Settings::default()), &call, &late, || true), Decision::Stop);
}
