//! Tests of the checks: sound parts pass for many seeds, and a part that breaks a rule is caught by that rule.

use std::time::Duration;

use oauth_marathon::config::Settings;
use oauth_marathon::context::{Attempt, Next};
use oauth_marathon::verdict::{Answer, Classifier, Kind, StandardClassifier, Verdict, classify_fn};
use oauth_marathon::{CredentialId, Generation};

use super::parts::{Broken, By, Conversations, Fault, Handed, InTurn};
use oauth_marathon_test::invariants::{
    Parts, Rule, check_attempts, check_classifier, check_pool_run, check_store, check_strategy,
};

#[test]
fn the_standard_classifier_keeps_the_rules() {
    for seed in 0..16 {
        check_classifier(&StandardClassifier::new(), seed).unwrap();
    }
}

fn broken_classifier(judge: fn(&Answer<'_>) -> Option<Verdict>) -> Rule {
    let violation = check_classifier(&classify_fn(judge), 7).unwrap_err();
    assert_eq!(violation.seed(), Some(7));
    assert!(violation.to_string().ends_with("(seed 7)"), "{violation}");
    violation.rule()
}

#[test]
fn a_broken_classifier_is_caught() {
    assert_eq!(
        broken_classifier(|answer| Some(Verdict::new(Kind::Rejected).with_status(
            answer.body()?.len().try_into().ok().and_then(|status: u16| http::StatusCode::from_u16(status).ok())?
        ))),
        Rule::WrongStatus
    );
    assert_eq!(broken_classifier(|_| Some(Verdict::new(Kind::Canceled))), Rule::ImpossibleKind);
    assert_eq!(
        broken_classifier(|_| Some(Verdict::new(Kind::Throttled).with_retry_after(Duration::MAX))),
        Rule::WaitOutOfBounds
    );
    assert_eq!(
        broken_classifier(|answer| {
            let text = answer.headers().get("retry-after")?.to_str().expect("visible text");
            Some(Verdict::new(Kind::Throttled).with_retry_after(Duration::from_secs(text.parse().unwrap())))
        }),
        Rule::Panicked
    );
}

#[test]
fn an_error_that_is_judged_a_success_is_caught() {
    struct Optimist;
    impl Classifier for Optimist {
        fn answer(&self, _: &Answer<'_>) -> Option<Verdict> {
            None
        }
        fn error(&self, _: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
            Some(Verdict::new(Kind::Success))
        }
    }
    assert_eq!(check_classifier(&Optimist, 1).unwrap_err().rule(), Rule::ImpossibleKind);
}

#[test]
fn strategies_that_are_in_order_pass_for_every_seed() {
    for seed in 0..6 {
        check_strategy(&By(|_| None), seed).unwrap();
        check_strategy(&By(|_| Some(0)), seed).unwrap();
        check_strategy(&By(|ready| Some(fastrand::usize(0..ready))), seed).unwrap();
        check_strategy(&InTurn::default(), seed).unwrap();
        check_strategy(&Conversations, seed).unwrap();
    }
}

#[test]
fn a_broken_strategy_is_caught() {
    let rule = |choose: fn(usize) -> Option<usize>| check_strategy(&By(choose), 3).unwrap_err().rule();
    assert_eq!(rule(Some), Rule::NoSuchCandidate);
    assert_eq!(rule(|_| Some(2)), Rule::NoSuchCandidate);
    assert_eq!(rule(|ready| Some(ready - 1)), Rule::Starvation);
    assert_eq!(rule(|ready| Some([1, 2, 3, 4][ready] % ready)), Rule::Panicked);
}

#[tokio::test]
async fn each_fault_of_a_store_is_caught_by_its_rule() {
    check_store(&Broken::new(Fault::None), 5).await.unwrap();
    for (fault, rule) in [
        (Fault::Forgets, Rule::NotKept),
        (Fault::KeepsNothing, Rule::NotKept),
        (Fault::IgnoresTheProvider, Rule::KeysMixed),
        (Fault::OverwritesAnything, Rule::ConflictMissed),
        (Fault::RefusesAll, Rule::ConflictInvented),
        (Fault::HidesTheConflict, Rule::ConflictMissed),
        (Fault::ChecksThenWrites, Rule::LostUpdate),
        (Fault::DropsTheExpiry, Rule::NotKept),
        (Fault::DropsTheIntent, Rule::NotKept),
        (Fault::KeepsTheRemoved, Rule::NotKept),
        (Fault::Fails, Rule::Failed),
        (Fault::Shows, Rule::SecretShown),
    ] {
        assert_eq!(check_store(&Broken::new(fault), 5).await.unwrap_err().rule(), rule, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_memory_keeps_the_rules_on_several_threads() {
    for seed in 0..4 {
        check_store(&std::sync::Arc::new(oauth_marathon::store::MemoryStore::new()), seed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_usual_stack_keeps_the_rules_with_any_strategy_in_order() {
    for seed in 0..2 {
        check_pool_run(&Parts::new(), seed).await.unwrap();
        check_pool_run(&Parts::new().strategy(InTurn::default()), seed).await.unwrap();
        check_pool_run(&Parts::new().strategy(Conversations), seed).await.unwrap();
        check_pool_run(&Parts::new().classifier(classify_fn(|_| None)), seed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_starves_and_a_store_that_forgets_show_in_a_whole_run() {
    let last = Parts::new().strategy(By(|ready| Some(ready - 1)));
    let forgets = Parts::new().store(Handed(Broken::new(Fault::KeepsNothing)));
    let mut rules = Vec::new();
    for parts in [last, forgets] {
        let violation = check_pool_run(&parts, 2).await.unwrap_err();
        assert_eq!(violation.seed(), Some(2));
        rules.push(violation.rule());
    }
    assert_eq!(rules, [Rule::Starvation, Rule::RefreshTokenSpentTwice]);
}

/// `(credential, kind, next)` of each attempt of one round.
fn attempts(of: &[(&str, Kind, Next)]) -> Vec<Attempt> {
    let attempt = |(at, (id, kind, next)): (usize, &(&str, Kind, Next))| {
        let mut attempt = Attempt::new(at as u32 + 1, 1);
        attempt.credential = Some(CredentialId::from(*id));
        attempt.generation = Some(Generation::new(1));
        attempt.verdict = Some(Verdict::new(*kind));
        attempt.next = Some(*next);
        attempt
    };
    of.iter().enumerate().map(attempt).collect()
}

#[test]
fn attempts_within_their_retries_pass_and_others_break_a_rule() {
    use Kind::{Network, ServerError, Throttled, Unauthorized};
    let mut settings = Settings::default();
    settings.max_attempts = std::num::NonZeroU32::new(2);
    let check = |of: &[(&str, Kind, Next)]| check_attempts(&attempts(of), &settings).map_err(|broken| broken.rule());
    let (now, same) = (Next::Now, Next::Same);
    assert_eq!(check(&[("a", Network, now), ("a", Throttled, now), ("b", Throttled, now)]), Ok(()));
    assert_eq!(check(&[("a", Unauthorized, same), ("a", Unauthorized, now), ("b", Throttled, now)]), Ok(()));
    assert_eq!(check(&[("a", ServerError, now), ("a", ServerError, now), ("b", ServerError, now)]), Ok(()));
    for (spent, rule) in [
        (&[("a", Throttled, now), ("a", Throttled, now)][..], Rule::DoubleSpend),
        (&[("a", Throttled, now), ("b", Throttled, now), ("a", Throttled, now)], Rule::DoubleSpend),
        (&[("a", Network, now), ("a", Network, now), ("a", Network, now)], Rule::DoubleSpend),
        (&[("a", Unauthorized, same), ("a", Unauthorized, same), ("a", Unauthorized, now)], Rule::DoubleSpend),
        (&[("a", ServerError, now), ("a", ServerError, now), ("a", ServerError, now)], Rule::DoubleSpend),
        (&[("a", Throttled, now), ("b", Throttled, now), ("c", Throttled, now)], Rule::CapBroken),
    ] {
        assert_eq!(check(spent), Err(rule), "{spent:?}");
    }
}
