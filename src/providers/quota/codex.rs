//! `x-codex-{primary,secondary,tertiary}-*`: the windows of a ChatGPT subscription, and `x-{limit}-primary-*` of its other limits.
//!
//! Only `window-minutes` says which window is of five hours and which of a week.

use std::time::Duration;

use super::fields::Fields;
use super::value::{number, reset, seconds};
use super::window::{Draft, WindowScope, Windows};

const MAIN: &str = "codex";
const PLACES: [&str; 3] = ["primary", "secondary", "tertiary"];

pub(super) fn read(fields: &Fields<'_>, windows: &mut Windows) {
    // The limit that this request counts against.
    let active = fields.get("x-codex-active-limit").map(id);
    for (rest, value) in fields.under("x-") {
        let Some((limit, place, kind)) = split(rest) else { continue };
        let name = name(limit, place);
        let scope = scope(limit, active.as_deref() == Some(limit));
        let Some(draft) = windows.named(&name, scope) else { continue };
        match kind {
            "used-percent" => draft.used = number(value).map(|percent| percent / 100.0),
            "window-minutes" => draft.length = number(value).and_then(minutes),
            // A duration does not depend on two clocks that agree. Some answers send a zero beside a date.
            "reset-after-seconds" => {
                draft.resets_after = seconds(value).filter(|wait| !wait.is_zero()).or(draft.resets_after);
            }
            "reset-at" => draft.resets_after = draft.resets_after.or_else(|| reset(value, fields.now)),
            _ => {}
        }
    }
    drop_absent(windows);
}

/// Splits a field's name into the limit, its window, and what the value tells.
fn split(rest: &str) -> Option<(&str, &str, &str)> {
    let kinds = ["used-percent", "window-minutes", "reset-after-seconds", "reset-at"];
    let of_kind = |kind| Some((rest.strip_suffix(kind)?.strip_suffix('-')?, kind));
    let (window, kind) = kinds.into_iter().find_map(of_kind)?;
    let (limit, place) = window.rsplit_once('-')?;
    (PLACES.contains(&place) && !limit.is_empty()).then_some((limit, place, kind))
}

/// The id of a limit as the names of fields spell it.
pub(super) fn id(limit: &str) -> String {
    limit.trim().to_ascii_lowercase().replace('_', "-")
}

pub(super) fn name(limit: &str, place: &str) -> String {
    if limit == MAIN { place.to_owned() } else { format!("{limit}-{place}") }
}

/// What a limit concerns. All but the main one concern single models; the active one concerns the model of this
/// request.
pub(super) fn scope(limit: &str, is_active: bool) -> WindowScope {
    match limit {
        MAIN => WindowScope::Credential,
        _ if is_active => WindowScope::Model,
        _ => WindowScope::Bucket,
    }
}

pub(super) fn minutes(minutes: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|length| !length.is_zero())
}

/// Leaves out empty windows, which a plan with fewer windows sends in place of the missing ones.
pub(super) fn drop_absent(windows: &mut Windows) {
    let is_place = |draft: &Draft| PLACES.iter().any(|place| draft.name().ends_with(place));
    let is_absent = |draft: &Draft| draft.used == Some(0.0) && draft.length.is_none() && draft.resets_after.is_none();
    for draft in windows.iter_mut().filter(|draft| is_place(draft) && is_absent(draft)) {
        draft.used = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Row, check};
    use super::WindowScope::{Bucket, Credential, Model};

    #[test]
    fn each_place_is_a_window_with_its_own_length() {
        check(
            &[
                ("x-codex-active-limit", "codex"),
                ("x-codex-plan-type", "plus"),
                ("x-codex-primary-used-percent", "100"),
                ("x-codex-primary-window-minutes", "300"),
                ("x-codex-primary-reset-after-seconds", "1260"),
                ("x-codex-secondary-used-percent", "55.5"),
                ("x-codex-secondary-window-minutes", "10080"),
                ("x-codex-secondary-reset-at", "1795336440"),
                ("x-codex-primary-over-secondary-limit-percent", "12"),
                ("x-codex-tertiary-used-percent", "0"),
                ("x-codex-tertiary-window-minutes", "43800"),
                ("x-codex-credits-has-credits", "False"),
            ],
            &[
                Row::new("primary", Credential).used(1.0).lasts(18_000).resets(1_260_000).exhausted(),
                Row::new("secondary", Credential).used(0.555).lasts(604_800).resets(60_000),
                Row::new("tertiary", Credential).used(0.0).lasts(2_628_000),
            ],
        );
    }

    #[test]
    fn an_empty_window_is_none() {
        check(
            &[
                ("x-codex-primary-used-percent", "100"),
                ("x-codex-primary-reset-at", ""),
                ("x-codex-primary-reset-after-seconds", ""),
                ("x-codex-secondary-used-percent", "0"),
                ("x-codex-secondary-window-minutes", "0"),
                ("x-codex-secondary-reset-after-seconds", "0"),
                ("x-codex-secondary-reset-at", ""),
                ("x-codex-tertiary-used-percent", "NaN"),
                ("x-codex-tertiary-reset-after-seconds", "60"),
            ],
            &[Row::new("primary", Credential).used(1.0).exhausted()],
        );
    }

    #[test]
    fn the_duration_goes_before_the_date_unless_it_is_none() {
        let reset = |after, at, expected| {
            let row = Row::new("primary", Credential).used(0.5).resets(expected);
            let fields = [
                ("x-codex-primary-used-percent", "50"),
                ("x-codex-primary-reset-after-seconds", after),
                ("x-codex-primary-reset-at", at),
            ];
            check(&fields, std::slice::from_ref(&row));
            check(&[fields[0], fields[2], fields[1]], &[row]);
        };
        reset("61", "1795336440", 61_000);
        reset("0", "1795336440", 60_000);
        reset("", "1795336440", 60_000);
        reset("-5", "Sun, 22 Nov 2026 08:34:00 GMT", 60_000);
    }

    #[test]
    fn another_limit_counts_for_its_model_where_it_is_the_active_one() {
        let fields = [
            ("x-codex-primary-used-percent", "20"),
            ("x-gpt-5-spark-primary-used-percent", "100"),
            ("x-gpt-5-spark-primary-reset-after-seconds", "60"),
            ("x-gpt-5-spark-limit-name", "Spark"),
            ("x-codex-other-secondary-used-percent", "5"),
        ];
        let rows = |scope| {
            [
                Row::new("primary", Credential).used(0.2),
                Row::new("gpt-5-spark-primary", scope).used(1.0).resets(60_000).exhausted(),
                Row::new("codex-other-secondary", Bucket).used(0.05),
            ]
        };
        check(&fields, &rows(Bucket));
        let active: Vec<_> = [("x-codex-active-limit", "GPT_5_spark")].into_iter().chain(fields).collect();
        check(&active, &rows(Model));
    }
}
