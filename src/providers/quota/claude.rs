//! `anthropic-ratelimit-unified-*`: the windows of a Claude subscription.
//!
//! Each window has a status, the share that is used, and a reset as a time since 1970. The fields without a window's name are
//! about the request as a whole, and `representative-claim` names the window that they are taken from.

use std::time::Duration;

use super::fields::Fields;
use super::value::{number, reset};
use super::window::{Draft, WindowScope, Windows};

const PREFIX: &str = "anthropic-ratelimit-unified-";
const OVERAGE: &str = "overage";

/// The largest value that is read as a share; a larger one is some other figure.
const LARGEST_SHARE: f64 = 10.0;

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    let mut whole = Whole::default();
    for (rest, value) in fields.under(PREFIX) {
        match rest {
            "status" => whole.refuses = refuses(value),
            "reset" => whole.resets_after = reset(value, fields.now),
            "representative-claim" => whole.window = name_of(value),
            _ => read_field(rest, value, fields, windows),
        }
    }
    whole.complete(windows);
}

fn read_field(rest: &str, value: &str, fields: &Fields<'_>, windows: &mut Windows) {
    let Some((name, kind @ ("status" | "reset" | "utilization"))) = rest.rsplit_once('-') else { return };
    let Some(draft) = window(name, windows) else { return };
    match kind {
        // Where overage is not allowed, every answer gives it the status "rejected", although no request was rejected.
        "status" if name == OVERAGE => draft.refuses = Some(false),
        "status" => draft.refuses = refuses(value),
        "reset" => draft.resets_after = reset(value, fields.now),
        _ => draft.used = number(value).filter(|share| *share <= LARGEST_SHARE),
    }
}

/// The fields about the request as a whole.
#[derive(Default)]
struct Whole<'a> {
    refuses: Option<bool>,
    resets_after: Option<Duration>,
    window: Option<&'a str>,
}

impl Whole<'_> {
    /// If the request was refused, adds to the window that is named as the reason whatever its own fields leave out.
    fn complete(self, windows: &mut Windows) {
        let Self { refuses: Some(true), resets_after, window: Some(name) } = self else { return };
        let Some(draft) = window(name, windows) else { return };
        // The window of overage shows "rejected" on every answer; here it is the reason for the refusal.
        if draft.refuses.is_none() || name == OVERAGE {
            draft.refuses = Some(true);
        }
        draft.resets_after = draft.resets_after.or(resets_after);
    }
}

fn window<'w>(name: &str, windows: &'w mut Windows) -> Option<&'w mut Draft> {
    let (length, model) = match name.split_once('_') {
        Some((length, _)) => (length, true),
        None => (name, false),
    };
    let hours = match length {
        "5h" => Some(5),
        "7d" => Some(7 * 24),
        _ => None,
    };
    let scope = match (hours, model) {
        (None, _) => WindowScope::Bucket,
        (Some(_), true) => WindowScope::Model,
        (Some(_), false) => WindowScope::Credential,
    };
    let draft = windows.named(name, scope)?;
    draft.length = hours.map(|hours| Duration::from_secs(hours * 60 * 60));
    Some(draft)
}

fn name_of(claim: &str) -> Option<&str> {
    Some(match claim {
        "five_hour" | "five_hour_fallback" => "5h",
        "seven_day" => "7d",
        "seven_day_opus" => "7d_opus",
        "seven_day_sonnet" => "7d_sonnet",
        "seven_day_overage_included" => "7d_oi",
        "" => return None,
        other => other,
    })
}

fn refuses(status: &str) -> Option<bool> {
    match status {
        "allowed" | "allowed_warning" => Some(false),
        "rejected" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::{Bucket, Credential, Model};

    const FIVE_HOURS: u64 = 5 * 3_600;
    const SEVEN_DAYS: u64 = 7 * 86_400;

    #[test]
    fn a_rejected_window_is_exhausted_whatever_its_share() {
        check(
            &[
                ("anthropic-ratelimit-unified-status", "rejected"),
                ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
                ("anthropic-ratelimit-unified-reset", "1795336440"),
                ("anthropic-ratelimit-unified-5h-status", "rejected"),
                ("anthropic-ratelimit-unified-5h-reset", "1795336440"),
                ("anthropic-ratelimit-unified-5h-utilization", "0.99"),
                ("anthropic-ratelimit-unified-7d-status", "allowed_warning"),
                ("anthropic-ratelimit-unified-7d-reset", "2026-11-22T08:43:00Z"),
                ("anthropic-ratelimit-unified-7d-utilization", "1.04"),
                ("anthropic-ratelimit-unified-7d-surpassed-threshold", "0.75"),
            ],
            &[
                Row::new("5h", Credential).used(0.99).lasts(FIVE_HOURS).resets(60_000).exhausted(),
                // Paid overage goes on beyond the limit.
                Row::new("7d", Credential).used(1.04).lasts(SEVEN_DAYS).resets(600_000),
            ],
        );
    }

    #[test]
    fn the_window_of_a_model_is_not_that_of_the_account() {
        check(
            &[
                ("anthropic-ratelimit-unified-5h-status", "allowed"),
                ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
                ("anthropic-ratelimit-unified-7d_opus-reset", "1795336440"),
                ("anthropic-ratelimit-unified-7d_oi-utilization", "1.0"),
            ],
            &[
                Row::new("5h", Credential).lasts(FIVE_HOURS),
                Row::new("7d_opus", Model).lasts(SEVEN_DAYS).resets(60_000).exhausted(),
                Row::new("7d_oi", Model).used(1.0).lasts(SEVEN_DAYS).exhausted(),
            ],
        );
    }

    #[test]
    fn rejected_overage_refuses_nothing_by_itself() {
        let mut fields = vec![
            ("anthropic-ratelimit-unified-fallback-percentage", "0.5"),
            ("anthropic-ratelimit-unified-overage-status", "rejected"),
            ("anthropic-ratelimit-unified-overage-disabled-reason", "org_level_disabled"),
            ("anthropic-ratelimit-unified-overage-reset", "1795336440"),
            ("anthropic-ratelimit-unified-upgrade-paths", "upgrade_plan"),
        ];
        check(&fields, &[Row::new("overage", Bucket).resets(60_000)]);
        fields.push(("anthropic-ratelimit-unified-status", "rejected"));
        check(&fields, &[Row::new("overage", Bucket).resets(60_000)]);
        fields.push(("anthropic-ratelimit-unified-representative-claim", "overage"));
        check(&fields, &[Row::new("overage", Bucket).resets(60_000).exhausted()]);
    }

    #[test]
    fn the_claim_stands_in_for_fields_that_its_window_lacks() {
        let claimed = |claim, row| {
            check(
                &[
                    ("anthropic-ratelimit-unified-status", "rejected"),
                    ("anthropic-ratelimit-unified-reset", "1795336440"),
                    ("anthropic-ratelimit-unified-representative-claim", claim),
                ],
                &[row],
            );
        };
        claimed("five_hour", Row::new("5h", Credential).lasts(FIVE_HOURS).resets(60_000).exhausted());
        claimed("seven_day", Row::new("7d", Credential).lasts(SEVEN_DAYS).resets(60_000).exhausted());
        claimed("seven_day_opus", Row::new("7d_opus", Model).lasts(SEVEN_DAYS).resets(60_000).exhausted());
        claimed("seven_day_sonnet", Row::new("7d_sonnet", Model).lasts(SEVEN_DAYS).resets(60_000).exhausted());
        claimed("lunar", Row::new("lunar", Bucket).resets(60_000).exhausted());
    }

    #[test]
    fn without_a_refusal_the_fields_of_the_whole_are_no_window() {
        check(
            &[("anthropic-ratelimit-unified-status", "allowed"), ("anthropic-ratelimit-unified-reset", "1795336440")],
            &[],
        );
    }

    #[test]
    fn a_share_is_read_strictly() {
        for share in ["0.5junk", "101", "Infinity", "NaN", "-0.1", "50%", "1e0", ""] {
            check(&[("anthropic-ratelimit-unified-5h-utilization", share)], &[]);
        }
        check(
            &[
                ("anthropic-ratelimit-unified-5h-status", "perhaps"),
                ("anthropic-ratelimit-unified-5h-utilization", "0"),
            ],
            &[Row::new("5h", Credential).used(0.0).lasts(FIVE_HOURS)],
        );
    }
}
