//! `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, with resets as RFC 3339 dates.

use super::fields::Fields;
use super::value::{count, reset};
use super::window::{WindowScope, Windows};

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    for (rest, value) in fields.under("anthropic-ratelimit-") {
        // The `unified` fields belong to subscriptions, see `claude`.
        if !rest.starts_with("unified-") {
            read_field("", rest, value, fields, windows);
        }
    }
    for (rest, value) in fields.under("anthropic-priority-") {
        read_field("priority-", rest, value, fields, windows);
    }
}

fn read_field(prefix: &str, rest: &str, value: &str, fields: &Fields<'_>, windows: &mut Windows) {
    let Some((name, kind @ ("limit" | "remaining" | "reset"))) = rest.rsplit_once('-') else { return };
    // Each class of models has its own window.
    let Some(draft) = windows.named(&format!("{prefix}{name}"), WindowScope::Model) else { return };
    match kind {
        "limit" => draft.limit = count(value),
        "remaining" => draft.remaining = count(value),
        _ => draft.resets_after = reset(value, fields.now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::Model;

    #[test]
    fn each_name_is_a_window_of_the_model() {
        check(
            &[
                ("anthropic-ratelimit-requests-limit", "4000"),
                ("anthropic-ratelimit-requests-remaining", "3000"),
                ("anthropic-ratelimit-requests-reset", "2026-11-22T08:33:01Z"),
                ("anthropic-ratelimit-input-tokens-limit", "40000"),
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T08:34:00+00:00"),
                ("anthropic-ratelimit-output-tokens-remaining", "8"),
                ("anthropic-priority-input-tokens-remaining", "1"),
                ("anthropic-ratelimit-novelty", "7"),
            ],
            &[
                Row::new("requests", Model).limit(4_000).remaining(3_000).used(0.25).resets(1_000),
                Row::new("input-tokens", Model).limit(40_000).remaining(0).used(1.0).resets(60_000).exhausted(),
                Row::new("output-tokens", Model).remaining(8),
                Row::new("priority-input-tokens", Model).remaining(1),
            ],
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        check(
            &[
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "soon"),
                ("anthropic-ratelimit-tokens-limit", "-4"),
                ("anthropic-ratelimit-tokens-reset", "2026-11-22T08:34:00Z"),
            ],
            &[Row::new("requests", Model).remaining(0).exhausted()],
        );
    }
}
