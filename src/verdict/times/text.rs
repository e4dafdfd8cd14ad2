//! Times in sentences for people, of shapes that providers are known to use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::date::rfc3339;
use super::duration::words;
use super::{decimal, until};

/// The words before a duration.
const BEFORE_DURATION: [&str; 8] = [
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "reset after ",
    "reset in ",
    "resets in ",
    "again available in ",
];

/// The words before a date with a time and a zone.
const BEFORE_DATE: [&str; 4] = ["regain access on ", "reset at ", "resets at ", "reset on "];

/// The wait that a message states. If it states several, the last one counts: words that the message quotes, such as a
/// model's name, stand before it.
///
/// `lower` is the message in small letters.
pub(crate) fn stated(lower: &str, now: SystemTime) -> Option<Duration> {
    let durations = BEFORE_DURATION.iter().filter_map(|before| last(lower, before, words));
    let dates = BEFORE_DATE.iter().filter_map(|before| last(lower, before, |rest| Some(until(zoned(rest)?, now))));
    let latest = durations.chain(dates).max_by_key(|(place, _)| *place);
    latest.map(|(_, wait)| wait).or_else(|| behind_bar(lower, now))
}

/// The last place of `before` that is followed by something that `read` can read.
fn last(lower: &str, before: &str, read: impl Fn(&str) -> Option<Duration>) -> Option<(usize, Duration)> {
    lower.match_indices(before).filter_map(|(place, _)| Some((place, read(lower.get(place + before.len()..)?)?))).last()
}

/// A date with a time and a zone: `2026-04-01 at 00:00 utc`, `2026-08-29 23:59:59 +0800`. Without a zone the time is
/// ambiguous.
fn zoned(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_at_checked("2026-04-01".len())?;
    let rest = rest.trim_start_matches([' ', 't']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let end = rest.find(|next: char| !next.is_ascii_digit() && next != ':').unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(end)?;
    let zone = zone.trim_start();
    let zone = match zone.get(..3)? {
        "utc" | "gmt" => "z",
        _ => zone.split([' ', ',', '.']).next()?,
    };
    rfc3339(&format!("{date}t{time}{zone}"))
}

/// The wait from an epoch behind a bar: `usage limit reached|1752152400`.
fn behind_bar(lower: &str, now: SystemTime) -> Option<Duration> {
    let (before, after) = lower.rsplit_once('|')?;
    let end = after.find(|next: char| !next.is_ascii_digit()).unwrap_or(after.len());
    let digits = after.get(..end)?;
    (before.ends_with("limit reached") && (10..=13).contains(&digits.len())).then_some(())?;
    decimal(digits, 1)?;
    super::epoch(digits.parse().ok()?).map(|date| until(date.max(UNIX_EPOCH), now))
}
