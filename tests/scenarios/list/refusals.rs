//! Accounts that are refused: 402, 403, bans and quotas.

use std::time::Duration;

use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::verdict::Kind::{
    Banned, Billing, Forbidden, QuotaExhausted, Rejected, Revoked, Success, Throttled,
};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::Verdict;

use crate::provider::{limited, ok, status};
use crate::scenario::Stands::{Cools, Out};
use crate::scenario::Table::{Codex, Design, Opencode};
use crate::scenario::{End, Scenario, gets, key, login, post, scenario, served};

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let keys = [key("k"), key("l"), key("m")];
    let cooled_and_over = &["cooling_down", "failed_over"];
    vec![
        scenario("an account that has to pay hands the request to the next", Opencode, two)
            .meets("a", [status(402)])
            .ask(post(), served([("a", Billing), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Billing, 3_600))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("an account that has to pay cools for as long as the settings say", Codex, two)
            .set(|settings| settings.payment_cooldown = Duration::from_secs(600))
            .meets("a", [status(402).with("retry-after", "5")])
            .ask(post(), served([("a", Billing), ("b", Success)]))
            .ask(post(), served([("b", Success)]))
            .ends(End {
                seen: &["a", "b", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Billing, 600))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("a success shows that an account has paid", Design, [login("a")])
            .set(|settings| settings.when_all_cooling = WhenAllCooling::Probe)
            .meets("a", [status(402).body("pay"), ok()])
            .ask(post(), gets(402, "pay", [("a", Billing)]))
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ends(End {
                seen: &["a", "a"],
                order: &["a"],
                failures: &[("a", 1)],
                events: &["cooling_down", "exhausted", "recovered"],
                ..End::default()
            }),
        scenario("a quota that is used up cools until its reset", Design, two)
            .classifier(|answer| {
                let quota = Verdict::new(QuotaExhausted).with_retry_after(Duration::from_secs(7_200));
                (answer.headers().get("x-plan")? == "used up").then_some(quota)
            })
            .meets("a", [limited("1").with("x-plan", "used up")])
            .ask(post(), served([("a", QuotaExhausted), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(QuotaExhausted, 7_200))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
        scenario("a ban is returned, and not carried to the next account", Design, two)
            .classifier(|answer| (answer.body() == Some(b"verify yourself")).then(|| Verdict::new(Banned)))
            .meets("a", [status(403).body("verify yourself")])
            .ask(post(), gets(403, "verify yourself", [("a", Banned)]))
            .ask(post(), served([("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Out(OutReason::Banned))],
                failures: &[("a", 1)],
                events: &["out"],
                ..End::default()
            }),
        scenario("an account whose login was revoked is out, and the next serves", Design, two)
            .classifier(|answer| (answer.status() == 401).then(|| Verdict::new(Revoked)))
            .refreshable()
            .meets("a", [status(401)])
            .ask(post(), served([("a", Revoked), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Out(OutReason::Revoked))],
                failures: &[("a", 1)],
                events: &["out", "failed_over"],
                ..End::default()
            }),
        scenario("a refused key is convicted by another that serves the same request", Design, keys)
            .meets("k", [status(403)])
            .ask(post(), served([("k", Forbidden), ("l", Success)]))
            .ends(End {
                seen: &["k", "l"],
                order: &["l", "m", "k"],
                standing: &[("k", Cools(Forbidden, 300))],
                failures: &[("k", 1)],
                events: &["failed_over", "cooling_down"],
                ..End::default()
            }),
        scenario("two keys refused alike show that the request is at fault", Design, keys)
            .meets("k", [status(403).body("one")])
            .meets("l", [status(403).body("two")])
            .ask(post(), gets(403, "two", [("k", Forbidden), ("l", Forbidden)]))
            .ends(End { seen: &["k", "l"], order: &["k", "l", "m"], events: &["failed_over"], ..End::default() }),
        scenario("a single refused key has nobody to be compared with", Design, [key("k")])
            .meets("k", [status(403).body("no")])
            .ask(post(), gets(403, "no", [("k", Forbidden)]))
            .ask(post(), gets(403, "no", [("k", Forbidden)]))
            .ends(End { seen: &["k", "k"], order: &["k"], ..End::default() }),
        scenario("an answer about the load says more than one about a single account", Design, [key("k"), key("l")])
            .meets("k", [limited("60")])
            .meets("l", [status(402).body("pay")])
            .ask(post(), gets(429, "slow down", [("k", Throttled), ("l", Billing)]))
            .ends(End {
                seen: &["k", "l"],
                order: &["k", "l"],
                standing: &[("k", Cools(Throttled, 60)), ("l", Cools(Billing, 3_600))],
                failures: &[("k", 1), ("l", 1)],
                events: &["cooling_down", "failed_over", "cooling_down", "exhausted"],
                ..End::default()
            }),
        scenario("an answer about the request says more than one about the load", Design, two)
            .meets("a", [limited("60")])
            .meets("b", [status(422).body("no such model")])
            .ask(post(), gets(422, "no such model", [("a", Throttled), ("b", Rejected)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1)],
                events: cooled_and_over,
                ..End::default()
            }),
    ]
}
