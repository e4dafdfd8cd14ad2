//! Connections that break, answers that do not come, and a provider that fails.

use std::num::NonZeroU32;
use std::time::Duration;

use oauth_marathon::config::Resend;
use oauth_marathon::verdict::Kind::{Network, Overloaded, ServerError, Success, Throttled};

use crate::provider::{breaks_off, closes, hangs, limited, ok, status};
use crate::scenario::Stands::Cools;
use crate::scenario::Table::{Codex, Design, Opencode};
use crate::scenario::{Account, Base, End, Gets, Scenario, get, gets, login, outcome, post, scenario, served};

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let closed = Account { base: Base::Closed, ..login("a") };
    // A failure on the way to the provider concerns all accounts: none cools.
    let broken = End {
        seen: &["a", "a", "a", "b"],
        order: &["b", "a"],
        failures: &[("a", 3)],
        events: &["failed_over"],
        ..End::default()
    };
    let untouched = End { order: &["a", "b"], ..End::default() };
    vec![
        scenario("a broken connection is tried again over the same account", Opencode, two)
            .meets("a", [closes(), ok()])
            .ask(post(), gets(200, "served", [("a", Network), ("a", Success)]))
            .ends(End { seen: &["a", "a"], failures: &[("a", 1)], ..untouched }),
        scenario("after the tries over one account the next one serves", Codex, two)
            .meets("a", [closes()])
            .ask(post(), served([("a", Network), ("a", Network), ("a", Network), ("b", Success)]))
            .ends(broken),
        scenario("without further tries the next account serves at once", Design, two)
            .set(|settings| settings.network_retry_attempts = 0)
            .meets("a", [closes()])
            .ask(post(), served([("a", Network), ("b", Success)]))
            .ends(End { seen: &["a", "b"], failures: &[("a", 1)], ..broken }),
        scenario(
            "a closed port is tried as often as the settings say over each account",
            Codex,
            [login("a"), login("b"), login("c")],
        )
        .closed()
        .set(|settings| (settings.network_retry_attempts, settings.max_attempts) = (2, NonZeroU32::new(2)))
        .ask(
            post(),
            outcome(
                Gets::Breaks,
                [("a", Network), ("a", Network), ("a", Network), ("b", Network), ("b", Network), ("b", Network)],
            ),
        )
        .ends(End {
            order: &["c", "a", "b"],
            failures: &[("a", 3), ("b", 3)],
            events: &["failed_over", "attempts_used_up"],
            ..End::default()
        }),
        scenario("an account with an address of its own cools when that breaks", Design, [closed, login("b")])
            .ask(post(), served([("a", Network), ("a", Network), ("b", Success)]))
            .ends(End {
                seen: &["b"],
                failures: &[("a", 2)],
                standing: &[("a", Cools(Network, 30))],
                events: &["cooling_down", "failed_over"],
                ..broken
            }),
        scenario("when every connection breaks, the error is the connection's", Design, two)
            .meets("a", [closes()])
            .meets("b", [closes()])
            .set(|settings| settings.network_retry_attempts = 0)
            .ask(post(), outcome(Gets::Breaks, [("a", Network), ("b", Network)]))
            .ends(End { seen: &["a", "b"], order: &["a", "b"], failures: &[("a", 1), ("b", 1)], ..broken }),
        scenario("any answer says more than a broken connection", Design, two)
            .meets("a", [limited("60")])
            .meets("b", [closes()])
            .ask(post(), gets(429, "slow down", [("a", Throttled), ("b", Network), ("b", Network), ("b", Network)]))
            .ends(End {
                seen: &["a", "b", "b", "b"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1), ("b", 3)],
                events: &["cooling_down", "failed_over"],
                ..broken
            }),
        scenario("an answer that does not begin in time counts as a broken connection", Design, two)
            .set(|settings| {
                (settings.network_retry_attempts, settings.attempt_timeout) = (0, Some(Duration::from_secs(2)));
            })
            .meets("a", [hangs()])
            .ask(post(), served([("a", Network), ("b", Success)]))
            .ends(End { seen: &["a", "b"], failures: &[("a", 1)], events: &["timed_out", "failed_over"], ..broken }),
        scenario("an answer that breaks off half-way is passed on, and not asked for again", Design, two)
            .meets("a", [breaks_off()])
            .ask(post(), outcome(Gets::CutOff(200), [("a", Success)]))
            .ends(End { seen: &["a"], failures: &[("a", 1)], ..untouched }),
        scenario("a provider that failed once is asked once more over the same account", Design, two)
            .meets("a", [status(500), ok()])
            .ask(post(), gets(200, "served", [("a", ServerError), ("a", Success)]))
            .ends(End { seen: &["a", "a"], ..untouched }),
        scenario(
            "a provider that keeps failing gets one more try and one failover",
            Design,
            [login("a"), login("b"), login("c")],
        )
        .meets("a", [status(502)])
        .meets("b", [status(502).body("bad gateway")])
        .ask(
            post(),
            gets(502, "bad gateway", [("a", ServerError), ("a", ServerError), ("b", ServerError)])
                .with("x-should-retry", "false"),
        )
        .ends(End {
            seen: &["a", "a", "b"],
            order: &["a", "b", "c"],
            events: &["failed_over"],
            ..End::default()
        }),
        scenario("an overloaded provider that asks for a long pause is asked over the next account", Design, two)
            .meets("a", [status(529).with("retry-after", "60")])
            .ask(post(), served([("a", Overloaded), ("b", Success)]))
            .ends(End { seen: &["a", "b"], events: &["failed_over"], ..untouched }),
        scenario(
            "an overloaded provider has one failover, and its answer stands",
            Design,
            [login("a"), login("b"), login("c")],
        )
        .meets("a", [status(503).with("retry-after", "60")])
        .meets("b", [status(503).with("retry-after", "60").body("no capacity")])
        .ask(post(), gets(503, "no capacity", [("a", Overloaded), ("b", Overloaded)]).with("x-should-retry", "false"))
        .ends(End { seen: &["a", "b"], order: &["a", "b", "c"], events: &["failed_over"], ..End::default() }),
        scenario("if asked to be safe, a lost answer is not asked for twice", Design, two)
            .set(|settings| settings.resend = Resend::Safe)
            .meets("a", [closes()])
            .ask(post(), outcome(Gets::Breaks, [("a", Network)]))
            .ends(End { seen: &["a"], failures: &[("a", 1)], ..untouched }),
        scenario("if asked to be safe, what does no harm twice goes out again", Design, two)
            .set(|settings| settings.resend = Resend::Safe)
            .meets("a", [closes()])
            .ask(get(), served([("a", Network), ("a", Network), ("a", Network), ("b", Success)]))
            .ends(broken),
        scenario("if asked to be safe, what carries a key against repetition goes out again", Design, two)
            .set(|settings| settings.resend = Resend::Safe)
            .meets("a", [closes()])
            .ask(
                post().with("idempotency-key", "once"),
                served([("a", Network), ("a", Network), ("a", Network), ("b", Success)]),
            )
            .ends(End { carried: &[(3, "idempotency-key", "once"), (3, ":body", "hello")], ..broken }),
        scenario("if asked to be safe, what surely never arrived goes out again", Design, [closed, login("b")])
            .set(|settings| settings.resend = Resend::Safe)
            .ask(post(), served([("a", Network), ("a", Network), ("b", Success)]))
            .ends(End {
                seen: &["b"],
                standing: &[("a", Cools(Network, 30))],
                failures: &[("a", 2)],
                events: &["cooling_down", "failed_over"],
                ..broken
            }),
        scenario("if asked to be safe, what a limit has refused goes out again", Design, two)
            .set(|settings| settings.resend = Resend::Safe)
            .meets("a", [limited("60")])
            .ask(post(), served([("a", Throttled), ("b", Success)]))
            .ends(End {
                seen: &["a", "b"],
                standing: &[("a", Cools(Throttled, 60))],
                failures: &[("a", 1)],
                events: &["cooling_down", "failed_over"],
                ..broken
            }),
    ]
}
