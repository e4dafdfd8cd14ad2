//! The suite itself can fail: each wrong expectation is reported.

use oauth_marathon::verdict::Kind;

use crate::adapters::Adapter;
use crate::list;
use crate::run::run;
use crate::scenario::{Gets, Outcome, Scenario, Stands, Step};

/// A change of an expectation, and what the report has to say of it.
type Wrong = (fn(&mut Scenario), &'static str);

fn outcome(scenario: &mut Scenario) -> &mut Outcome {
    match scenario.steps.first_mut() {
        Some(Step::Ask(_, outcome)) => outcome,
        other => panic!("it begins with {other:?}"),
    }
}

const WRONG: [Wrong; 14] = [
    (|it| outcome(it).gets = Gets::Answer(201, "hello from b".to_owned()), "step 1, status: expected 201, got 200"),
    (|it| outcome(it).gets = Gets::Answer(200, "hello from a".to_owned()), "step 1, body: expected \"hello from a\""),
    (|it| outcome(it).gets = Gets::Breaks, "step 1, answer: expected Breaks, got Answer"),
    (|it| outcome(it).log.truncate(1), "step 1, attempts: expected [\"a Throttled\"], got"),
    (|it| outcome(it).log[0].1 = Kind::Billing, "step 1, attempts: expected [\"a Billing\", \"b Success\"], got"),
    (|it| outcome(it).headers.push(("x-none", "1")), "step 1, x-none: expected \"1\", got \"\""),
    (|it| it.end.seen = &["a", "a"], "tokens seen: expected [\"a\", \"a\"], got [\"a\", \"b\"]"),
    (|it| it.end.carried = &[(1, "x-trace", "t2")], "x-trace of request 1: expected \"t2\", got \"t1\""),
    (|it| it.end.token_requests = 1, "token requests: expected 1, got 0"),
    (|it| it.end.order = &["a", "b"], "order: expected [\"a\", \"b\"], got [\"b\", \"a\"]"),
    (|it| it.end.standing = &[], "standing of a: expected Ready, got Cooling"),
    (
        |it| it.end.standing = &[("a", Stands::Cools(Kind::Throttled, 500))],
        "standing of a: expected Cools(Throttled, 500)",
    ),
    (|it| it.end.failures = &[("b", 1)], "failures of a: expected 0, got 1"),
    (|it| it.end.events = &["failed_over", "cooling_down"], "events: expected"),
];

#[tokio::test]
async fn a_wrong_expectation_is_reported_with_the_scenario_the_adapter_and_the_difference() {
    let right = list::all().remove(0);
    for adapter in [Adapter::Tower, Adapter::Axum, Adapter::Reqwest] {
        assert_eq!(run(&right, adapter).await, [""; 0]);
        for (change, report) in WRONG {
            let mut wrong = right.clone();
            change(&mut wrong);
            let differences = run(&wrong, adapter).await;
            let starts = format!("{:?} over {adapter:?}: {report}", right.name);
            assert!(differences.iter().any(|line| line.starts_with(&starts)), "{starts:?} is not in {differences:?}");
        }
    }
}

#[tokio::test]
async fn a_declared_difference_holds_for_its_adapter_alone() {
    let scenario = list::all().into_iter().find(|scenario| !scenario.differences.is_empty()).expect("one");
    let declared = scenario.differences[0].adapter;
    let without = Scenario { differences: Vec::new(), ..scenario };
    for adapter in [Adapter::Tower, Adapter::Axum, Adapter::Reqwest] {
        assert_eq!(run(&without, adapter).await.is_empty(), adapter != declared, "{adapter:?}");
    }
}
