//! Times as providers write them. Pure: the time of day is an argument.
//!
//! Every wait is rounded up to whole milliseconds, so that no request comes too early, and is at most [`LONGEST`]. A text that
//! is negative, not finite or not of the grammar is no time at all.

use std::time::{Duration, SystemTime};

mod date;
mod duration;
mod number;
mod text;

pub(crate) use self::date::{epoch, http_date, own_now, point, until};
pub(crate) use self::duration::go;
pub(crate) use self::number::{decimal, float};
pub(crate) use self::text::stated;

/// Ten years. Longer waits are shortened to it, so that adding one to a time cannot overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLISECOND;

/// Below this a number in a reset field counts seconds from now; from here on it is a date (2001).
const FIRST_EPOCH: f64 = 1e9;

/// A wait of this many nanoseconds, rounded up.
pub(crate) fn wait(nanoseconds: u128) -> Duration {
    let milliseconds = nanoseconds.div_ceil(u128::from(MILLISECOND));
    u64::try_from(milliseconds).map_or(LONGEST, Duration::from_millis).min(LONGEST)
}

/// A reset field without a standard: seconds from now, an epoch in any unit, a Go duration or a date.
pub(crate) fn reset(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    match decimal(text, SECOND) {
        Some(seconds) if text.parse().is_ok_and(|number: f64| number < FIRST_EPOCH) => Some(seconds),
        Some(_) => text.parse().ok().and_then(epoch).map(|date| until(date, now)),
        None => go(text).or_else(|| point(text).map(|date| until(date, now))),
    }
}

#[cfg(test)]
mod tests;
