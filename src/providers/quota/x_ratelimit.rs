//! Reads `x-ratelimit-{limit,remaining,reset}[-NAME]` and its other spellings, which no standard describes.
//!
//! OpenAI and Groq write resets in Go's notation, Azure in seconds, OpenRouter and others as a time since 1970.

use std::time::Duration;

use super::fields::Fields;
use super::value::{count, reset, seconds};
use super::window::{WindowScope, Windows};

/// The beginnings of the names, and the name for a window that has none.
const SPELLINGS: [(&str, &str); 4] = [
    ("x-ratelimit-", "default"),
    ("x-rate-limit-", "default"),
    ("x-tokenlimit-", "tokens"),
    // Mistral's older ones.
    ("ratelimitbysize-", "size"),
];

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    for (prefix, unnamed) in SPELLINGS {
        for (rest, value) in fields.under(prefix) {
            read_field(rest, value, unnamed, fields, windows);
        }
    }
    // Azure's older spelling gives only the reset of the window that refused the request.
    for (name, _) in fields.under("x-rate-limit-reset-") {
        if let Some(draft) = windows.named(name, WindowScope::Model)
            && draft.remaining.is_none()
            && draft.limit.is_none()
            && draft.resets_after.is_some()
        {
            draft.refuses = Some(true);
        }
    }
}

fn read_field(rest: &str, value: &str, unnamed: &str, fields: &Fields<'_>, windows: &mut Windows) {
    let (kind, name) = rest.split_once('-').unwrap_or((rest, ""));
    // Discord's `reset-after` is `reset` in seconds from now.
    let (kind, name) = if (kind, name) == ("reset", "after") { ("reset-after", "") } else { (kind, name) };
    if !matches!(kind, "limit" | "remaining" | "reset" | "reset-after") {
        return;
    }
    let unit = name.rsplit('-').next().unwrap_or(name);
    // A window that is named after nothing but its length concerns no single model.
    let scope =
        if unit == name && (name.is_empty() || is_unit(unit)) { WindowScope::Credential } else { WindowScope::Model };
    let Some(draft) = windows.named(if name.is_empty() { unnamed } else { name }, scope) else { return };
    draft.length = draft.length.or_else(|| length(unit));
    // Some repeat their policy behind the figure: `100, 100;w=60`.
    let figure = value.split([',', ';']).next().unwrap_or(value).trim();
    match kind {
        "limit" => draft.limit = draft.limit.or_else(|| count(figure)),
        "remaining" => draft.remaining = draft.remaining.or_else(|| count(figure)),
        "reset-after" => draft.resets_after = seconds(value).or(draft.resets_after),
        _ => draft.resets_after = draft.resets_after.or_else(|| reset(value, fields.now)),
    }
}

fn is_unit(name: &str) -> bool {
    matches!(name, "second" | "minute" | "hour" | "day" | "month")
}

/// The length of a unit of time. A month has none, because months differ.
fn length(unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::{Credential, Model};

    #[test]
    fn each_suffix_is_a_window() {
        check(
            &[
                // OpenAI
                ("x-ratelimit-limit-requests", "500"),
                ("x-ratelimit-limit-tokens", "30000"),
                ("x-ratelimit-remaining-requests", "450"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-requests", "120ms"),
                ("x-ratelimit-reset-tokens", "1m2.5s"),
                ("x-ratelimit-remaining-tokens_usage_based", "7"),
            ],
            &[
                Row::new("requests", Model).limit(500).remaining(450).used(0.1).resets(120),
                Row::new("tokens", Model).limit(30_000).remaining(0).used(1.0).resets(62_500).exhausted(),
                Row::new("tokens_usage_based", Model).remaining(7),
            ],
        );
        check(
            &[
                // OpenRouter
                ("x-ratelimit-limit", "20"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1795336440000"),
            ],
            &[Row::new("default", Credential).limit(20).remaining(0).used(1.0).resets(60_000).exhausted()],
        );
        check(
            &[
                // Azure
                ("x-ratelimit-limit-tokens", "-1"),
                ("x-ratelimit-remaining-tokens", "-1"),
                ("x-ratelimit-reset-tokens", "0"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "55"),
            ],
            &[Row::new("requests", Model).remaining(59).resets(55_000)],
        );
        check(
            &[
                // Together
                ("x-ratelimit-limit", "10"),
                ("x-ratelimit-remaining", "5"),
                ("x-ratelimit-reset", "1"),
                ("x-tokenlimit-limit", "100"),
                ("x-tokenlimit-remaining", "0"),
            ],
            &[
                Row::new("default", Credential).limit(10).remaining(5).used(0.5).resets(1_000),
                Row::new("tokens", Credential).limit(100).remaining(0).used(1.0).exhausted(),
            ],
        );
    }

    #[test]
    fn a_name_that_ends_with_a_unit_of_time_has_that_length() {
        check(
            &[
                // Mistral names no reset.
                ("x-ratelimit-limit-req-minute", "60"),
                ("x-ratelimit-remaining-req-minute", "0"),
                ("x-ratelimit-remaining-tokens-month", "0"),
                ("x-ratelimit-tokens-query-cost", "12"),
                ("ratelimitbysize-remaining", "3"),
                ("ratelimitbysize-reset", "9"),
            ],
            &[
                Row::new("req-minute", Model).limit(60).remaining(0).used(1.0).lasts(60).resets(60_000).exhausted(),
                Row::new("tokens-month", Model).remaining(0).exhausted(),
                Row::new("size", Credential).remaining(3).resets(9_000),
            ],
        );
        check(
            &[
                // Cerebras
                ("x-ratelimit-limit-requests-day", "14400"),
                ("x-ratelimit-remaining-requests-day", "0"),
                ("x-ratelimit-reset-requests-day", "33011.382867"),
                // Kong
                ("x-ratelimit-limit-hour", "4"),
                ("x-ratelimit-remaining-hour", "1"),
            ],
            &[
                Row::new("requests-day", Model)
                    .limit(14_400)
                    .remaining(0)
                    .used(1.0)
                    .lasts(86_400)
                    .resets(33_011_383)
                    .exhausted(),
                Row::new("hour", Credential).limit(4).remaining(1).used(0.75).lasts(3_600),
            ],
        );
    }

    #[test]
    fn a_lone_reset_says_nothing_but_in_azures_older_spelling() {
        check(&[("x-ratelimit-reset-tokens", "55"), ("x-ratelimit-exceeded", "user_global")], &[]);
        check(
            &[("x-rate-limit-reset-tokens", "55"), ("x-ratelimit-remaining-requests", "10")],
            &[Row::new("requests", Model).remaining(10), Row::new("tokens", Model).resets(55_000).exhausted()],
        );
        check(
            &[("x-rate-limit-remaining-tokens", "5"), ("x-rate-limit-reset-tokens", "55")],
            &[Row::new("tokens", Model).remaining(5).resets(55_000)],
        );
        check(&[("x-rate-limit-reset-tokens", "soon")], &[]);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        check(
            &[
                ("x-ratelimit-remaining", "many"),
                ("x-ratelimit-reset", "50"),
                ("x-ratelimit-limit-a", "100, 100;w=60"),
                ("x-ratelimit-remaining-a", "1e3"),
                ("x-ratelimit-remaining-b", ""),
                ("x-ratelimit-remaining-c", "0"),
                ("x-ratelimit-reset-c", "1d2h"),
                ("x-ratelimit-reset-after", "1.25"),
                ("x-ratelimit-limit", "2"),
            ],
            &[
                Row::new("default", Credential).limit(2).resets(1_250),
                Row::new("a", Model).limit(100),
                Row::new("c", Model).remaining(0).exhausted(),
            ],
        );
    }
}
