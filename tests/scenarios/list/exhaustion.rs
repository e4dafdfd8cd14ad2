//! Every account is cooling, or there is none.

use oauth_marathon::ErrorKind;
use oauth_marathon::config::WhenAllCooling::{Error, Probe, Wait};
use oauth_marathon::verdict::Kind::{Success, Throttled};

use crate::provider::{limited, ok, status};
use crate::scenario::Stands::Cools;
use crate::scenario::Table::{Design, Opencode};
use crate::scenario::{Call, End, Gets, Scenario, gets, login, outcome, post, scenario, served};

/// The answer while all accounts cool and no failure is remembered.
const NOBODY: &str =
    r#"{"error":{"message":"every credential of \"openai\" is cooling down","type":"all_credentials_cooling"}}"#;

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let pinned = |id| Call { pin: Some(id), ..post() };
    let both_cool = End {
        seen: &["a", "b"],
        order: &["a", "b"],
        standing: &[("a", Cools(Throttled, 60)), ("b", Cools(Throttled, 90))],
        failures: &[("a", 1), ("b", 1)],
        events: &["cooling_down", "failed_over", "cooling_down", "exhausted"],
        ..End::default()
    };
    let alone = End {
        seen: &["a"],
        order: &["a"],
        standing: &[("a", Cools(Throttled, 20))],
        failures: &[("a", 1)],
        events: &["cooling_down", "exhausted"],
        ..End::default()
    };
    let both = [("a", Throttled), ("b", Throttled)];
    vec![
        scenario(
            "while all are cooling, the last failure is given again with the time of the first recovery",
            Design,
            two,
        )
        .meets("a", [limited("60")])
        .meets("b", [limited("90").body("the last").with("x-request-id", "r2")])
        .ask(post(), gets(429, "the last", both).retry_after(90))
        .ask(post(), gets(429, "the last", [("-", Throttled)]).retry_after(60).with("x-request-id", "r2"))
        .ends(both_cool),
        scenario("if asked to, a request fails without being sent while all are cooling", Opencode, two)
            .set(|settings| settings.when_all_cooling = Error)
            .meets("a", [limited("60")])
            .meets("b", [limited("90")])
            .ask(post(), gets(429, "slow down", both))
            .ask(post(), outcome(Gets::Fails(ErrorKind::AllCooling), []))
            .ends(both_cool),
        scenario("if asked to, a request waits for its account", Design, [login("a")])
            .set(|settings| settings.when_all_cooling = Wait)
            .meets("a", [status(429).with("retry-after-ms", "30"), ok()])
            .ask(post(), gets(200, "served", [("a", Throttled), ("a", Success)]))
            .ends(End {
                seen: &["a", "a"],
                standing: &[],
                events: &["cooling_down", "exhausted", "recovered"],
                ..alone
            }),
        scenario("if asked to, a request waits for the first that recovers", Design, two)
            .set(|settings| settings.when_all_cooling = Wait)
            .meets("a", [limited("600")])
            .meets("b", [status(429).with("retry-after-ms", "30"), ok()])
            .ask(post(), gets(200, "served", [("a", Throttled), ("b", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 600))],
                events: &["cooling_down", "failed_over", "cooling_down", "exhausted", "recovered"],
                ..both_cool
            }),
        scenario("a wait that is longer than the settings allow is not begun", Design, [login("a")])
            .set(|settings| settings.when_all_cooling = Wait)
            .meets("a", [limited("61"), ok()])
            .ask(post(), gets(429, "slow down", [("a", Throttled)]))
            .ends(End { standing: &[("a", Cools(Throttled, 61))], ..alone }),
        scenario("a wait past the deadline is not begun", Design, [login("a")])
            .set(|settings| settings.when_all_cooling = Wait)
            .meets("a", [limited("20"), ok()])
            .ask(Call { within_seconds: Some(15), ..post() }, gets(429, "slow down", [("a", Throttled)]))
            .ends(alone),
        scenario("if asked to, one request is sent although all are cooling", Opencode, two)
            .set(|settings| settings.when_all_cooling = Probe)
            .meets("a", [limited("60"), ok()])
            .meets("b", [limited("90")])
            .ask(post(), gets(429, "slow down", both))
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ends(End {
                seen: &["a", "b", "a"],
                standing: &[("b", Cools(Throttled, 90))],
                events: &["cooling_down", "failed_over", "cooling_down", "exhausted", "recovered"],
                ..both_cool
            }),
        scenario("a pinned request uses its account alone", Opencode, two)
            .meets("b", [ok(), limited("20")])
            .ask(pinned("b"), gets(200, "served", [("b", Success)]))
            .ask(pinned("b"), gets(429, "slow down", [("b", Throttled)]))
            // The pool remembers a failure only if no account was left for any request.
            .ask(pinned("b"), gets(429, NOBODY, [("-", Throttled)]).retry_after(20))
            .ask(post(), served([("a", Success)]))
            .ends(End {
                seen: &["b", "b", "a"],
                order: &["a", "b"],
                standing: &[("b", Cools(Throttled, 20))],
                failures: &[("b", 1)],
                events: &["cooling_down"],
                ..End::default()
            }),
        scenario("a pin that names nobody is an error, and nothing is sent", Design, two)
            .ask(pinned("c"), outcome(Gets::Fails(ErrorKind::UnknownCredential), []))
            .ends(End { order: &["a", "b"], ..End::default() }),
        scenario("without any account the error says so, and nothing is sent", Design, [])
            .ask(post(), outcome(Gets::Fails(ErrorKind::NoCredential), []))
            .ends(End::default()),
    ]
}
