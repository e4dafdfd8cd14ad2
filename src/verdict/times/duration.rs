//! Durations with units: `1h2m3s`, `34.07s`, `15 hours 23 minutes`.

use std::time::Duration;

use super::number::nanoseconds;
use super::{SECOND, wait};

/// The longest number or word that is read.
const LONGEST_PART: usize = 64;

const GO_UNITS: [(&str, u64); 8] = [
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", SECOND / 1_000),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ns", 1),
];

const WORD_UNITS: [(&str, u64); 9] = [
    ("millisecond", SECOND / 1_000),
    ("second", SECOND),
    ("sec", SECOND),
    ("minute", 60 * SECOND),
    ("min", 60 * SECOND),
    ("hour", 3600 * SECOND),
    ("hr", 3600 * SECOND),
    ("day", 86_400 * SECOND),
    ("week", 7 * 86_400 * SECOND),
];

/// A duration as Go prints it, without a sign. The JSON form of protobuf's `Duration` (`34.07s`) is read too.
pub(crate) fn go(text: &str) -> Option<Duration> {
    let (nanoseconds, rest) = go_prefix(text)?;
    rest.is_empty().then(|| wait(nanoseconds))
}

/// A Go duration, or numbers with words, at the start of a text. A number alone is no duration.
pub(crate) fn words(text: &str) -> Option<Duration> {
    let text = text.trim_start();
    if let Some((nanoseconds, rest)) = go_prefix(text) {
        // "5spam" is not five seconds; "5.289s." and "45s, then" are.
        if !rest.starts_with(|next: char| next.is_alphanumeric()) {
            return Some(wait(nanoseconds));
        }
    }
    let mut sum = None;
    let mut rest = text;
    // Hours, minutes and seconds at the most, and the word between them.
    for _ in 0..4 {
        let Some((nanoseconds, after)) = word_part(rest) else { break };
        sum = Some(sum.unwrap_or(0_u128).saturating_add(nanoseconds));
        let after = after.trim_start_matches([',', ' ']);
        rest = after.strip_prefix("and ").unwrap_or(after);
    }
    sum.map(wait)
}

fn word_part(text: &str) -> Option<(u128, &str)> {
    let (number, rest) = number(text)?;
    let rest = rest.trim_start_matches([' ', '-']);
    let end = rest.find(|next: char| !next.is_ascii_alphabetic()).unwrap_or(rest.len()).min(LONGEST_PART);
    let (word, rest) = rest.split_at_checked(end)?;
    let word = word.strip_suffix(['s', 'S']).unwrap_or(word);
    let (_, unit) = WORD_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
    Some((nanoseconds(number, *unit)?, rest))
}

fn go_prefix(text: &str) -> Option<(u128, &str)> {
    let mut sum = None;
    let mut rest = text;
    for _ in 0..GO_UNITS.len() {
        let Some((nanoseconds, after)) = go_part(rest) else { break };
        sum = Some(sum.unwrap_or(0_u128).saturating_add(nanoseconds));
        rest = after;
    }
    Some((sum?, rest))
}

fn go_part(text: &str) -> Option<(u128, &str)> {
    let (number, rest) = number(text)?;
    let end = rest.find(|next: char| !next.is_alphabetic()).unwrap_or(rest.len()).min(LONGEST_PART);
    let (word, rest) = rest.split_at_checked(end)?;
    let (_, unit) = GO_UNITS.iter().find(|(name, _)| *name == word)?;
    Some((nanoseconds(number, *unit)?, rest))
}

/// Digits and points. A point that ends a sentence belongs to no number.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    (0 < end && end <= LONGEST_PART).then(|| text.split_at_checked(end)).flatten()
}
