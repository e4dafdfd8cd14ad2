//! Scripts for which tower's retry with our policy must do the same as our layer.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use oauth_marathon::config::{Resend, StrategyName, WhenAllCooling};
use oauth_marathon_test::Reply;

use super::stacks::{Case, ours, pool, through_ours, through_tower, towers};

fn replies(statuses: &[u16]) -> Vec<Reply> {
    let reply = |status: &u16| match status {
        0 => Reply::connection_error(),
        status => Reply::status(*status).body(format!("answer {status}")),
    };
    statuses.iter().map(reply).collect()
}

fn limited(seconds: &str) -> Vec<Reply> {
    vec![Reply::status(429).header("retry-after", seconds).body("limited")]
}

/// The cases, each with the sends that it has to cause, so that two empty runs are not taken for equal.
fn cases() -> Vec<(Case, &'static [&'static str])> {
    let case = |name, a: &[u16], b: &[u16], c: &[u16]| {
        Case::new(name, vec![("a1", replies(a)), ("b1", replies(b)), ("c1", replies(c))])
    };
    vec![
        (case("200 at once", &[200], &[], &[]), &["a1"]),
        (case("429, then the next", &[429], &[200], &[]), &["a1", "b1"]),
        (case("429 of all", &[429], &[429], &[429]), &["a1", "b1", "c1"]),
        (case("401, refreshed", &[401], &[], &[]), &["a1", "a2"]),
        (case("401 of a key", &[429], &[401], &[200]), &["a1", "b1", "c1"]),
        (case("403, refreshed", &[403], &[], &[]), &["a1", "a2"]),
        (
            Case::new("403 of two", vec![("a1", replies(&[403])), ("a2", replies(&[403])), ("b1", replies(&[403]))]),
            &["a1", "a2", "b1"],
        ),
        (case("402", &[402], &[200], &[]), &["a1", "b1"]),
        (case("400", &[400], &[200], &[]), &["a1"]),
        (case("500, then 200", &[500, 200], &[], &[]), &["a1", "a1"]),
        (case("500 for ever", &[500, 500], &[500], &[500]), &["a1", "a1", "b1"]),
        (case("503, 429, then the next", &[503, 429], &[200], &[]), &["a1", "a1", "b1"]),
        (case("one broken connection", &[0, 200], &[], &[]), &["a1", "a1"]),
        (case("broken connections", &[0, 0, 0], &[0, 0], &[200]), &["a1", "a1", "a1", "b1", "b1", "c1"]),
        (case("all connections broken", &[0, 0, 0], &[0, 0], &[0, 0]), &["a1", "a1", "a1", "b1", "b1", "c1", "c1"]),
        (
            case("no network retries", &[0], &[200], &[]).settings(|settings| settings.network_retry_attempts = 0),
            &["a1", "b1"],
        ),
        (
            case("maxAttempts", &[429], &[429], &[200]).settings(|settings| settings.max_attempts = NonZeroU32::new(2)),
            &["a1", "b1"],
        ),
        (case("safe, lost answer", &[0, 200], &[], &[]).settings(|settings| settings.resend = Resend::Safe), &["a1"]),
        (
            Case {
                method: Method::GET,
                ..case("safe, GET", &[0, 200], &[], &[]).settings(|settings| settings.resend = Resend::Safe)
            },
            &["a1", "a1"],
        ),
        (Case { pin: Some("b"), ..case("pinned", &[], &[429], &[]) }, &["b1"]),
        (Case { pin: Some("x"), ..case("pinned to nobody", &[], &[], &[]) }, &[]),
        (Case { timeout: Some(Duration::ZERO), ..case("after the deadline", &[429], &[200], &[]) }, &["a1"]),
        (
            Case {
                requests: 4,
                ..case("in turn", &[], &[], &[]).settings(|settings| settings.strategy = StrategyName::RoundRobin)
            },
            &["a1", "b1", "c1", "a1"],
        ),
        (Case { requests: 2, ..Case::new("all cooling: an answer", three("60")) }, &["a1", "b1", "c1"]),
        (
            Case { requests: 2, ..Case::new("all cooling: an error", three("60")) }
                .settings(|settings| settings.when_all_cooling = WhenAllCooling::Error),
            &["a1", "b1", "c1"],
        ),
        (
            Case::new("all cooling: a wait", three("9"))
                .settings(|settings| settings.when_all_cooling = WhenAllCooling::Wait),
            &["a1", "b1", "c1", "a1"],
        ),
        (
            Case { timeout: Some(Duration::from_secs(5)), ..Case::new("a wait past the deadline", three("9")) }
                .settings(|settings| settings.when_all_cooling = WhenAllCooling::Wait),
            &["a1", "b1", "c1"],
        ),
        (Case { requests: 60, ..case("the budget runs dry", &[500; 120], &[500; 60], &[]) }, BUDGET),
    ]
}

fn three(seconds: &str) -> Vec<(&'static str, Vec<Reply>)> {
    vec![("a1", limited(seconds)), ("b1", limited(seconds)), ("c1", limited(seconds))]
}

/// Stands for sends that are only compared between the stacks.
const BUDGET: &[&str] = &["…"];

#[tokio::test(start_paused = true)]
async fn the_policy_sends_notes_and_answers_what_our_layer_does() {
    for (case, sends) in cases() {
        let ours = through_ours(&case).await;
        if sends != BUDGET {
            assert_eq!(ours.sends, sends, "{}", case.name);
        }
        assert_eq!(through_tower(&case).await, ours, "{}", case.name);
    }
}

#[tokio::test(start_paused = true)]
async fn both_spend_the_budget_of_their_pool() {
    let pool = pool(&oauth_marathon::config::Settings::default());
    let down =
        Case { requests: 40, ..Case::new("down", vec![("a1", replies(&[500; 80])), ("b1", replies(&[500; 80]))]) };
    let spent = ours(&down, &pool).await.sends.len() - 40;
    assert!((20..=25).contains(&spent), "{spent}");
    assert_eq!(towers(&down, &pool).await.sends.len(), 40, "nothing is left");
}
