//! `x-quota-snapshot-NAME`: the monthly quotas of GitHub Copilot, each a list of pairs in the form of a URL's query.
//!
//! `ent` is how much there is (-1 for no limit), `rem` the percentage that is left, `ovPerm` whether requests beyond it are
//! allowed, `rst` when it resets.

use super::fields::Fields;
use super::value::{count, number, reset};
use super::window::{WindowScope, Windows};

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    for (name, value) in fields.under("x-quota-snapshot-") {
        let Some(draft) = windows.named(name, WindowScope::Bucket) else { continue };
        for (key, value) in form_urlencoded::parse(value.as_bytes()) {
            match &*key {
                "ent" if value == "-1" => draft.refuses = Some(false),
                "ent" => draft.limit = count(&value),
                "rem" => draft.used = number(&value).filter(|left| *left <= 100.0).map(|left| 1.0 - left / 100.0),
                "ovPerm" if value == "true" => draft.refuses = Some(false),
                "rst" => draft.resets_after = reset(&value, fields.now),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::Bucket;

    #[test]
    fn each_snapshot_is_a_window_of_its_own_kind_of_requests() {
        check(
            &[
                (
                    "x-quota-snapshot-premium_interactions",
                    "ent=300&ov=0.0&ovPerm=false&rem=0.0&rst=2026-11-22T08%3A34%3A00Z",
                ),
                ("x-quota-snapshot-chat", "ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-12-01T00%3A00%3A00Z"),
                ("x-quota-snapshot-premium_models", "ent=50&ov=3.0&ovPerm=true&rem=0.0"),
                ("x-quota-snapshot-completions", "rem=25"),
            ],
            &[
                Row::new("premium_interactions", Bucket).limit(300).used(1.0).resets(60_000).exhausted(),
                Row::new("chat", Bucket).used(0.0).resets(746_820_000),
                // Requests beyond the limit may be bought.
                Row::new("premium_models", Bucket).limit(50).used(1.0),
                Row::new("completions", Bucket).used(0.75),
            ],
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for value in
            ["", "rem=", "rem=-1", "rem=101", "rem=0.0junk", "rst=2026-11-22T08%3A34%3A00Z", "%ff=%ff&&=", "ent=-2"]
        {
            check(&[("x-quota-snapshot-chat", value)], &[]);
        }
    }
}
