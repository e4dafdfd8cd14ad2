//! The request itself: its faults, its head and body, its origin, and its caller.

use oauth_marathon::ErrorKind;
use oauth_marathon::verdict::Kind::{Rejected, Success, Throttled};

use crate::adapters::Adapter;
use crate::provider::{hangs, limited, ok, status};
use crate::scenario::Stands::Cools;
use crate::scenario::Table::{Codex, Design, Opencode};
use crate::scenario::{
    Account, Base, Call, End, Gets, Scenario, Step, get, gets, key, login, outcome, post, scenario, served,
};

/// More than is read of a failed answer to judge it.
const LARGE: usize = 300 * 1024;

pub(super) fn scenarios() -> Vec<Scenario> {
    let two = [login("a"), login("b")];
    let untouched = End { seen: &["a"], order: &["a", "b"], ..End::default() };
    let over = End {
        seen: &["a", "b"],
        order: &["b", "a"],
        standing: &[("a", Cools(Throttled, 60))],
        failures: &[("a", 1)],
        events: &["cooling_down", "failed_over"],
        ..End::default()
    };
    let streamed = Call { streamed: true, ..post() };
    let after_a = [("a", Throttled), ("b", Success)];
    let large = Call { body: "x".repeat(LARGE), ..post() };
    vec![
        scenario("a request at fault is returned at once, and nobody suffers", Codex, two)
            .meets("a", [status(400).body("bad request").with("x-request-id", "r1")])
            .ask(post(), gets(400, "bad request", [("a", Rejected)]).with("x-request-id", "r1"))
            .ends(untouched),
        scenario("what does not exist, is too large or makes no sense is the request's fault", Design, two)
            .meets("a", [status(404).body("one"), status(413).body("two"), status(422).body("three")])
            .ask(get(), gets(404, "one", [("a", Rejected)]))
            .ask(post(), gets(413, "two", [("a", Rejected)]))
            .ask(post(), gets(422, "three", [("a", Rejected)]))
            .ends(End { seen: &["a", "a", "a"], ..untouched }),
        scenario("a token that the caller put in is replaced", Design, two)
            .ask(post().with("authorization", "Bearer the-callers"), served([("a", Success)]))
            .ends(End { carried: &[(0, "authorization", "Bearer a")], ..untouched }),
        scenario("what goes out with one account goes out with no other", Design, [
            Account { extra: Some(("chatgpt-account-id", "acct-a")), ..login("a") },
            Account { extra: Some(("x-project", "project-b")), ..login("b") },
        ])
        .meets("a", [limited("60")])
        .ask(post(), served(after_a))
        .ends(End {
            carried: &[
                (0, "chatgpt-account-id", "acct-a"),
                (0, "x-project", "-"),
                (1, "chatgpt-account-id", "-"),
                (1, "x-project", "project-b"),
            ],
            ..over
        }),
        scenario("each account is sent in the header that is its own", Design, [
            key("a"),
            Account { header: "authorization", scheme: Some("Token"), ..key("b") },
        ])
        .meets("a", [limited("60")])
        .ask(post().with("x-api-key", "the-callers"), served(after_a))
        .ends(End {
            carried: &[
                (0, "x-api-key", "a"),
                (0, "authorization", "-"),
                (1, "x-api-key", "-"),
                (1, "authorization", "Token b"),
            ],
            ..over
        }),
        scenario("an account with a base URL of its own gets the request there", Design, [
            Account { base: Base::Path("/eu"), ..login("a") },
            login("b"),
        ])
        .meets("a", [limited("60")])
        .ask(get(), served(after_a))
        .ends(End {
            carried: &[(0, ":path", "/eu/v1/models?limit=5"), (1, ":path", "/v1/models?limit=5")],
            ..over
        }),
        scenario("method, path, headers and body are the same each time", Opencode, two)
            .meets("a", [limited("60")])
            .ask(Call { method: "PUT", ..post().with("x-trace", "t1") }, served(after_a))
            .ends(End {
                carried: &[
                    (0, ":method", "PUT"),
                    (1, ":method", "PUT"),
                    (1, ":path", "/v1/chat"),
                    (1, "x-trace", "t1"),
                    (1, ":body", "hello"),
                ],
                ..over
            }),
        scenario("a large body goes out whole each time", Design, two)
            .meets("a", [limited("60")])
            .ask(large.clone(), served(after_a))
            .ends(End { carried: &[(0, ":length", "307200"), (1, ":length", "307200")], ..over }),
        scenario("a failed answer larger than what is read of it comes back whole", Design, [login("a")])
            .meets("a", [limited("60").body("y".repeat(LARGE))])
            .ask(post(), gets(429, "y".repeat(LARGE), [("a", Throttled)]))
            .ends(End { seen: &["a"], order: &["a"], events: &["cooling_down", "exhausted"], ..over }),
        scenario("a large failed answer does not keep the next account from serving", Design, two)
            .meets("a", [limited("60").body("y".repeat(LARGE))])
            .ask(post(), served(after_a))
            .ends(over),
        scenario("a stream over the limit is sent once, and the next request starts with the next account", Opencode, two)
            .set(|settings| settings.replay_limit_bytes = 4)
            .meets("a", [limited("60")])
            .ask(streamed.clone(), gets(429, "slow down", [("a", Throttled)]))
            .ask(streamed.clone(), served([("b", Success)]))
            .ends(End {
                carried: &[(0, ":body", "hello"), (1, ":body", "hello")],
                events: &["cooling_down"],
                ..over
            }),
        scenario("a stream within the limit goes out again", Design, two)
            .meets("a", [limited("60")])
            .ask(streamed, served(after_a))
            .ends(End { carried: &[(0, ":body", "hello"), (1, ":body", "hello")], ..over })
            .differs(
                Adapter::Reqwest,
                "a middleware gets the body when reqwest has taken it over: nothing can stand above and record the stream",
                |scenario| {
                    scenario.steps =
                        vec![Step::Ask(Call { streamed: true, ..post() }, gets(429, "slow down", [("a", Throttled)]))];
                    scenario.end.seen = &["a"];
                    scenario.end.carried = &[(0, ":body", "hello")];
                    scenario.end.events = &["cooling_down"];
                },
            ),
        scenario("a request to a foreign place is refused, and nothing is sent", Design, two)
            .ask(
                Call { to: Some("http://127.0.0.1:9"), ..post() },
                outcome(Gets::Fails(ErrorKind::ForeignOrigin), []),
            )
            .ends(End { seen: &[], ..untouched }),
        scenario("a caller who goes away leaves no trace on the account", Design, two)
            .meets("a", [hangs(), ok()])
            .step(Step::Abandon(post()))
            .ask(post(), gets(200, "served", [("a", Success)]))
            .ends(End { seen: &["a", "a"], events: &["canceled"], ..untouched }),
        scenario("an answer without a body and its headers pass unchanged", Design, two)
            .meets("a", [status(204).with("x-ratelimit-remaining", "7")])
            .ask(
                Call { method: "DELETE", body: String::new(), ..post() },
                gets(204, "", [("a", Success)]).with("x-ratelimit-remaining", "7"),
            )
            .ends(End { carried: &[(0, ":method", "DELETE")], ..untouched }),
    ]
}
