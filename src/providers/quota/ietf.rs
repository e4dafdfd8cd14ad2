//! The fields of draft-ietf-httpapi-ratelimit-headers, in the forms of all its revisions.
//!
//! | revision | form |
//! |---|---|
//! | to -03 | `RateLimit-Limit: 100, 100;w=10`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 50` |
//! | -04 to -06 | the same; the policies are in `RateLimit-Policy: 10;w=1, 50;w=60` |
//! | -07 | `RateLimit: limit=100, remaining=50, reset=30` |
//! | from -08 | `RateLimit: "default";r=50;t=30` and `RateLimit-Policy: "default";q=100;w=60` |
//!
//! They are structured fields (RFC 9651): one with a fault in it is ignored as a whole, as the draft demands.

use std::time::Duration;

use sfv::{Dictionary, Item, List, ListEntry, Parser};

use super::fields::Fields;
use super::value::{LONGEST, reset};
use super::window::{Draft, WindowScope, Windows};

/// The name of the window in older revisions, which give it none.
const UNNAMED: &str = "default";

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    if let Some(text) = fields.joined("ratelimit") {
        match Parser::new(&text).parse::<List>() {
            Ok(list) if list.iter().any(|entry| named(entry).is_some()) => read_list(&list, windows),
            _ => read_dictionary(&text, windows),
        }
    }
    read_three(fields, windows);
    let policies = fields.joined("ratelimit-policy").and_then(|text| Parser::new(&text).parse::<List>().ok());
    read_policies(&policies.unwrap_or_default(), windows);
}

/// Reads the form from revision -08 on.
fn read_list(list: &List, windows: &mut Windows) {
    for (name, item) in list.iter().filter_map(named) {
        let parameter = |key: &str| integer(item.params.get(key)?);
        // Without `r` the item has no meaning.
        let Some(remaining) = parameter("r") else { continue };
        let Some(draft) = windows.named(name, WindowScope::Credential) else { continue };
        // Several partitions of one policy: the one with the least left counts.
        if draft.remaining.is_none_or(|known| remaining < known) {
            draft.remaining = Some(remaining);
            draft.resets_after = parameter("t").map(seconds);
        }
    }
}

/// Reads the form of revision -07.
fn read_dictionary(text: &str, windows: &mut Windows) {
    let Ok(dictionary) = Parser::new(text).parse::<Dictionary>() else { return };
    let member = |key: &str| match dictionary.get(key)? {
        ListEntry::Item(item) => integer(&item.bare_item),
        ListEntry::InnerList(_) => None,
    };
    let (limit, Some(remaining)) = (member("limit"), member("remaining")) else { return };
    let Some(draft) = windows.named(UNNAMED, WindowScope::Credential) else { return };
    (draft.limit, draft.remaining, draft.resets_after) = (limit, Some(remaining), member("reset").map(seconds));
}

/// Reads the three fields of the revisions to -06.
fn read_three(fields: &Fields<'_>, windows: &mut Windows) {
    let item = |name: &str| integer(&Parser::new(fields.get(name)?).parse::<Item>().ok()?.bare_item);
    let limits = fields.joined("ratelimit-limit").and_then(|text| Parser::new(&text).parse::<List>().ok());
    let limits = limits.unwrap_or_default();
    let limit = limits.first().and_then(unnamed).map(|found| found.0);
    let remaining = item("ratelimit-remaining");
    if limit.is_none() && remaining.is_none() {
        return;
    }
    let Some(draft) = windows.named(UNNAMED, WindowScope::Credential) else { return };
    draft.limit = limit;
    draft.remaining = remaining;
    // A number of seconds, but some send the time since 1970.
    draft.resets_after = item("ratelimit-reset").and_then(|number| reset(&number.to_string(), fields.now));
    // The first is the limit itself.
    read_lengths(limits.get(1..).unwrap_or_default(), draft);
}

fn read_policies(policies: &List, windows: &mut Windows) {
    for (name, item) in policies.iter().filter_map(named) {
        let Some(draft) = windows.named(name, WindowScope::Credential) else { continue };
        let parameter = |key: &str| integer(item.params.get(key)?);
        draft.limit = draft.limit.or(parameter("q"));
        draft.length = draft.length.or(parameter("w").map(seconds));
    }
    if let Some(draft) = windows.iter_mut().find(|draft| draft.name() == UNNAMED && draft.length.is_none()) {
        read_lengths(policies, draft);
    }
}

/// Finds the window's length. Among policies without a name, the one with the window's limit is the right one.
fn read_lengths(policies: &[ListEntry], draft: &mut Draft) {
    let found = policies.iter().filter_map(unnamed).find(|found| Some(found.0) == draft.limit);
    draft.length = found.and_then(|found| integer(found.1.params.get("w")?)).map(seconds);
}

fn named(entry: &ListEntry) -> Option<(&str, &Item)> {
    match entry {
        ListEntry::Item(item) => Some((item.bare_item.as_string()?.as_str(), item)),
        ListEntry::InnerList(_) => None,
    }
}

fn unnamed(entry: &ListEntry) -> Option<(u64, &Item)> {
    match entry {
        ListEntry::Item(item) => Some((integer(&item.bare_item)?, item)),
        ListEntry::InnerList(_) => None,
    }
}

/// A number of the draft, which knows no fraction and no negative one.
fn integer(item: &sfv::BareItem) -> Option<u64> {
    u64::try_from(i64::from(item.as_integer()?)).ok()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::Credential;

    #[test]
    fn every_revision_is_understood() {
        let policy = "ratelimit-policy";
        // To -03.
        check(
            &[("ratelimit-limit", "100, 50;w=1, 100;w=10"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "5")],
            &[Row::new("default", Credential).limit(100).remaining(50).used(0.5).lasts(10).resets(5_000)],
        );
        // -04 to -06.
        check(
            &[
                ("ratelimit-limit", "10"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "48"),
                (policy, "10;w=60, 1000;w=3600"),
            ],
            &[Row::new("default", Credential).limit(10).remaining(0).used(1.0).lasts(60).resets(48_000).exhausted()],
        );
        // -07.
        check(
            &[("ratelimit", "limit=100, remaining=75, reset=30"), (policy, "100;w=60")],
            &[Row::new("default", Credential).limit(100).remaining(75).used(0.25).lasts(60).resets(30_000)],
        );
        // From -08.
        check(
            &[
                (policy, "\"burst\";q=100;w=60,\"daily\";q=1000;w=86400;qu=\"requests\""),
                ("ratelimit", "\"burst\";r=75;t=30;pk=:cHNzdA==:"),
                ("ratelimit", "\"daily\";r=0;t=36400"),
            ],
            &[
                Row::new("burst", Credential).limit(100).remaining(75).used(0.25).lasts(60).resets(30_000),
                Row::new("daily", Credential)
                    .limit(1_000)
                    .remaining(0)
                    .used(1.0)
                    .lasts(86_400)
                    .resets(36_400_000)
                    .exhausted(),
            ],
        );
        check(&[(policy, "\"daily\";q=1000")], &[Row::new("daily", Credential).limit(1_000)]);
    }

    #[test]
    fn of_the_partitions_of_a_policy_the_one_with_the_least_left_counts() {
        check(
            &[("ratelimit", "\"a\";r=5;t=1;pk=:YQ==:, \"a\";r=2;t=9;pk=:Yg==:, \"a\";r=3;t=4;pk=:Yw==:")],
            &[Row::new("a", Credential).remaining(2).resets(9_000)],
        );
    }

    #[test]
    fn a_reset_since_1970_is_understood() {
        check(
            &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1795336440")],
            &[Row::new("default", Credential).remaining(0).resets(60_000).exhausted()],
        );
    }

    #[test]
    fn a_field_with_a_fault_is_ignored() {
        let faulty = [
            "\"a\";t=30",
            "\"a\";r=-1;t=30",
            "\"a\";r=1.5",
            "\"a\";r=0;t=30,",
            "\"a;r=0",
            "a;r=0;t=30",
            "(\"a\");r=0",
            "limit=100, reset=30",
            "limit=100, remaining=(0)",
            "limit=100, remaining=0;",
            "remaining",
            "",
        ];
        for text in faulty {
            check(&[("ratelimit", text)], &[]);
        }
        for (limit, remaining) in [("many", "0.5"), ("", "-1"), ("\"10\"", "10, 20")] {
            check(&[("ratelimit-limit", limit), ("ratelimit-remaining", remaining)], &[]);
        }
        // A parameter of the wrong type is as if it were not there.
        for text in ["\"a\";r=0;t=1.5", "\"a\";r=0;t=-5", "\"a\";r=0;t"] {
            check(&[("ratelimit", text)], &[Row::new("a", Credential).remaining(0).exhausted()]);
        }
    }
}
