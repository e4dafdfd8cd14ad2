//! 429: who serves next, in which order, and how long the others cool.

use std::num::NonZeroU32;
use std::time::Duration;

use oauth_marathon::config::{StrategyName, WhenAllCooling};
use oauth_marathon::verdict::Kind::{Success, Throttled};
use oauth_marathon::verdict::{Kind, Scope, Verdict};

use crate::provider::{limited, ok, status};
use crate::scenario::Stands::Cools;
use crate::scenario::Table::{Codex, Design, Opencode};
use crate::scenario::{End, Scenario, Step, gets, login, post, scenario, served};

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let cooled_and_over = &["cooling_down", "failed_over"];
    vec![
        scenario("a limited account hands the same request to the next and cools at the back", Opencode, two)
            .meets("a", [limited("50")])
            .ask(post().with("x-trace", "t1"), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                carried: &[(0, ":body", "hello"), (1, ":method", "POST"), (1, ":body", "hello"), (1, "x-trace", "t1")],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 50))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("one account serves until it is limited", Opencode, two)
            .meets("a", [ok(), ok(), limited("60")])
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "a", "a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("when all are limited the last answer comes back whole", Opencode, two)
            .meets("a", [limited("60").body("first")])
            .meets("b", [limited("90").body("last").with("x-request-id", "r2")])
            .ask(post(), gets(429, "last", [("a", Throttled), ("b", Throttled)]).with("x-request-id", "r2"))
            .ends(End {
                seen: &["a", "b"],
                order: &["a", "b"],
                standing: &[("a", Cools(Throttled, 60)), ("b", Cools(Throttled, 90))],
                failures: &[("a", 1), ("b", 1)],
                events: &["cooling_down", "failed_over", "cooling_down", "exhausted"],
                ..End::default()
            }),
        scenario("a date to come back at is measured by the clock of the answer", Codex, two)
            .meets("a", [limited("Sun, 06 Nov 1994 08:50:37 GMT").with("date", "Sun, 06 Nov 1994 08:49:57 GMT")])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 40))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("a limit that states no time cools for as long as the settings say", Opencode, two)
            .set(|settings| settings.rate_limit_cooldown = Duration::from_secs(77))
            .meets("a", [status(429).with("retry-after", "soon")])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 77))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("a limit in milliseconds is finer than one in seconds beside it", Design, two)
            .meets("a", [limited("1").with("retry-after-ms", "90000")])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 90))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("a limit of years ends after eight days", Design, two)
            .meets("a", [limited("99999999999")])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 691_200))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("after a short limit the order stays swapped", Codex, two)
            .meets("a", [status(429).with("retry-after-ms", "30"), ok()])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .step(Step::Recovers("a"))
            .ask(post(), served([("b", Success)]))
            .ends(End {
                seen: &["a", "b", "b"],
                order: &["b", "a"],
                failures: &[("a", 1)],
                events: &["cooling_down", "failed_over", "recovered"],
                ..End::default()
            }),
        scenario("a single account cools as well", Codex, [login("a")])
            .meets("a", [limited("60")])
            .ask(post(), gets(429, "slow down", [("a", Throttled)]).retry_after(60))
            .ends(End {
                seen: &["a"],
                order: &["a"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1)],
                events: &["cooling_down", "exhausted"],
                ..End::default()
            }),
        scenario("no more accounts are tried than the setting says", Opencode, [login("a"), login("b"), login("c")])
            .set(|settings| settings.max_attempts = NonZeroU32::new(2))
            .meets("a", [limited("60")])
            .meets("b", [limited("90")])
            .ask(post(), gets(429, "slow down", [("a", Throttled), ("b", Throttled)]).with("retry-after", "1"))
            .ends(End {
                seen: &["a", "b"],
                order: &["c", "a", "b"],
                standing: &[("a", Cools(Throttled, 60)), ("b", Cools(Throttled, 90))],
                failures: &[("a", 1), ("b", 1)],
                events: &["cooling_down", "failed_over", "cooling_down", "attempts_used_up"],
                ..End::default()
            }),
        scenario("a success ends a limit that began before it", Design, [login("a")])
            .set(|settings| settings.when_all_cooling = WhenAllCooling::Probe)
            .meets("a", [limited("600"), ok()])
            .ask(post(), gets(429, "slow down", [("a", Throttled)]))
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ends(End {
                seen: &["a", "a"],
                order: &["a"],
                failures: &[("a", 1)],
                events: &["cooling_down", "exhausted", "recovered"],
                ..End::default()
            }),
        scenario("a limit of the provider as a whole is no fault of the account", Design, two)
            .classifier(|answer| {
                (answer.status() == 418).then(|| Verdict::new(Kind::Throttled).with_scope(Scope::Provider))
            })
            .meets("a", [status(418)])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End { seen: &["a", "b"], order: &["a", "b"], events: &["failed_over"], ..End::default() }),
        scenario("in turn, each account serves once before the first serves again", Design, two)
            .set(|settings| settings.strategy = StrategyName::RoundRobin)
            .ask(post(), served([("a", Success)]))
            .ask(post(), served([("b", Success)]))
            .ask(post(), served([("a", Success)]))
            .ends(End { seen: &["a", "b", "a"], order: &["b", "a"], ..End::default() }),
    ]
}
