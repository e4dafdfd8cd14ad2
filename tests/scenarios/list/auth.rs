//! Tokens that are not accepted, and the refresh that follows.

use oauth_marathon::verdict::Kind::{Forbidden, Rejected, Success, Throttled, Unauthorized};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{ErrorKind, Secret, TokenSet};

use crate::provider::{limited, ok, status};
use crate::scenario::Stands::{Cools, Out};
use crate::scenario::Table::{Codex, Design, Opencode};
use crate::scenario::{Account, End, Gets, Scenario, Step, gets, key, login, outcome, post, scenario, served};

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let refreshed = End {
        seen: &["a", "a+"],
        token_requests: 1,
        order: &["a", "b"],
        failures: &[("a", 1)],
        events: &["refreshed"],
        ..End::default()
    };
    let out = End {
        seen: &["a", "b"],
        token_requests: 1,
        order: &["b", "a"],
        standing: &[("a", Out(OutReason::RefreshRefused))],
        failures: &[("a", 1)],
        events: &["out", "failed_over"],
        ..End::default()
    };
    let twice = [("a", Unauthorized), ("a", Success)];
    vec![
        scenario("a token that is not accepted is refreshed, and the same account goes on", Opencode, two)
            .refreshable()
            .meets("a", [status(401)])
            .ask(post(), served(twice))
            .ends(refreshed),
        scenario("a token that is forbidden is refreshed as well", Codex, two)
            .refreshable()
            .meets("a", [status(403)])
            .ask(post(), served([("a", Forbidden), ("a", Success)]))
            .ends(refreshed),
        scenario("the new token serves the requests that follow", Codex, two)
            .refreshable()
            .meets("a", [status(401)])
            .ask(post(), served(twice))
            .ask(post(), served([("a", Success)]))
            .ends(End { seen: &["a", "a+", "a+"], ..refreshed }),
        scenario("a token that is not accepted after the refresh either leads to the next account", Opencode, two)
            .refreshable()
            .meets("a", [status(401)])
            .meets("a+", [status(401)])
            .ask(post(), served([("a", Unauthorized), ("a", Unauthorized), ("b", Success)]))
            .ends(End {
                seen: &["a", "a+", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Unauthorized, 300))],
                failures: &[("a", 2)],
                events: &["refreshed", "cooling_down", "failed_over"],
                ..refreshed
            }),
        scenario("an account that is forbidden after the refresh too cools once another serves", Opencode, two)
            .refreshable()
            .meets("a", [status(403)])
            .meets("a+", [status(403)])
            .ask(post(), served([("a", Forbidden), ("a", Forbidden), ("b", Success)]))
            .ends(End {
                seen: &["a", "a+", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Forbidden, 300))],
                failures: &[("a", 2)],
                events: &["refreshed", "failed_over", "cooling_down"],
                ..refreshed
            }),
        scenario("a limit that shows only after the refresh leads to the next account", Opencode, two)
            .refreshable()
            .meets("a", [status(401)])
            .meets("a+", [limited("60")])
            .ask(post(), served([("a", Unauthorized), ("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "a+", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 2)],
                events: &["refreshed", "cooling_down", "failed_over"],
                ..refreshed
            }),
        scenario("a request at fault is returned after the refresh as before it", Codex, two)
            .refreshable()
            .meets("a", [status(401)])
            .meets("a+", [status(400).body("bad request")])
            .ask(post(), gets(400, "bad request", [("a", Unauthorized), ("a", Rejected)]))
            .ends(refreshed),
        scenario("an expired refresh token leads to the next account", Codex, two)
            .endpoint("refresh-a", [status(401).body(r#"{"error":{"code":"refresh_token_expired"}}"#)])
            .meets("a", [status(401)])
            .ask(post(), served([("a", Unauthorized), ("b", Success)]))
            .ends(out),
        scenario("a login that is over is not tried again", Design, two)
            .endpoint("refresh-a", [status(400).body(r#"{"error":"invalid_grant"}"#)])
            .meets("a", [status(401)])
            .ask(post(), served([("a", Unauthorized), ("b", Success)]))
            .ask(post(), served([("b", Success)]))
            .ends(End { seen: &["a", "b", "b"], ..out }),
        scenario("when the only login is over, the next request says what to do", Design, [login("a")])
            .endpoint("refresh-a", [status(400).body(r#"{"error":"invalid_grant"}"#)])
            .meets("a", [status(401).body("expired")])
            .ask(post(), gets(401, "expired", [("a", Unauthorized)]))
            .ask(post(), outcome(Gets::Fails(ErrorKind::LoginNeeded), []))
            .ends(End { seen: &["a"], order: &["a"], events: &["out", "exhausted"], ..out }),
        scenario("a token endpoint that fails for now costs a short cooldown, and the next account serves", Codex, two)
            .endpoint("refresh-a", [status(503)])
            .meets("a", [status(401)])
            .ask(post(), served([("a", Unauthorized), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Unauthorized, 30))],
                events: &["refresh_failed", "cooling_down", "failed_over"],
                ..refreshed
            }),
        scenario(
            "a token that has expired is refreshed before anything is sent",
            Design,
            [Account { expired: true, ..login("a") }, login("b")],
        )
        .refreshable()
        .ask(post(), served([("a", Success)]))
        .ends(End { seen: &["a+"], failures: &[], ..refreshed }),
        scenario(
            "where the refresh of an expired token fails for now, the next account serves",
            Design,
            [Account { expired: true, ..login("a") }, login("b")],
        )
        .endpoint("refresh-a", [limited("90")])
        .ask(post(), served([("b", Success)]))
        .ends(End {
            seen: &["b"],
            order: &["b", "a"],
            standing: &[("a", Cools(Unauthorized, 90))],
            failures: &[],
            events: &["refresh_failed", "cooling_down"],
            ..refreshed
        }),
        scenario("a second forced refresh within a minute is not made", Design, two)
            .refreshable()
            .meets("a", [status(401)])
            .meets("a+", [ok(), status(401)])
            .ask(post(), gets(200, "served", twice))
            .ask(post(), served([("a", Unauthorized), ("b", Success)]))
            .ends(End {
                seen: &["a", "a+", "a+", "b"],
                order: &["b", "a"],
                standing: &[("a", Cools(Unauthorized, 300))],
                failures: &[("a", 2)],
                events: &["refreshed", "cooling_down", "failed_over"],
                ..refreshed
            }),
        scenario("a key that is not accepted cools without a refresh", Design, [key("k"), key("l")])
            .refreshable()
            .meets("k", [status(401)])
            .ask(post(), served([("k", Unauthorized), ("l", Success)]))
            .ends(End {
                seen: &["k", "l"],
                order: &["l", "k"],
                standing: &[("k", Cools(Unauthorized, 300))],
                failures: &[("k", 1)],
                events: &["cooling_down", "failed_over"],
                ..End::default()
            }),
        scenario(
            "a login without a refresh token cools as a key does",
            Design,
            [Account { refresh: false, ..login("a") }, login("b")],
        )
        .refreshable()
        .meets("a", [status(401)])
        .ask(post(), served([("a", Unauthorized), ("b", Success)]))
        .ends(End {
            seen: &["a", "b"],
            order: &["b", "a"],
            standing: &[("a", Cools(Unauthorized, 300))],
            failures: &[("a", 1)],
            events: &["cooling_down", "failed_over"],
            ..End::default()
        }),
        scenario("new tokens go to the account that holds the refresh token, not to the active one", Opencode, two)
            .step(Step::Do(|pool| {
                let tokens = TokenSet::new("b2").with_refresh("refresh-b2");
                let id = pool.update_by_refresh_token(&Secret::new("refresh-b"), tokens).expect("it is b's");
                assert_eq!(id, "b");
            }))
            .meets("a", [limited("60")])
            .ask(post(), gets(200, "hello from b2", [("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b2"],
                order: &["b", "a"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1)],
                events: &["cooling_down", "failed_over"],
                ..End::default()
            }),
    ]
}
