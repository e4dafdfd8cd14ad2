//! Points in time: RFC 3339, HTTP-dates and epochs of any unit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;

use super::{SECOND, decimal, wait};

/// From `now` to `date`; nothing if that is past.
pub(crate) fn until(date: SystemTime, now: SystemTime) -> Duration {
    date.duration_since(now).map_or(Duration::ZERO, |left| wait(left.as_nanos()))
}

/// The time of day by the answer's own clock, which takes the skew between the clocks out, and by ours where it has none.
pub(crate) fn own_now(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    headers.get_all(DATE).iter().find_map(|value| http_date(value.to_str().ok()?.trim())).unwrap_or(now)
}

/// An HTTP-date in any of the three forms of RFC 9110, 5.6.7.
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    // The longest is that of RFC 850: "Wednesday, 31-Dec-99 23:59:59 GMT".
    (text.len() <= 40).then(|| httpdate::parse_http_date(text).ok()).flatten()
}

/// A point in time as text: RFC 3339, an HTTP-date or an epoch.
pub(crate) fn point(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    rfc3339(text).or_else(|| http_date(text)).or_else(|| {
        decimal(text, SECOND)?;
        epoch(text.parse().ok()?)
    })
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
pub(crate) fn epoch(number: f64) -> Option<SystemTime> {
    let per_second = match number {
        ..0.0 => return None,
        ..1e11 => 1.0,
        ..1e14 => 1e3,
        ..1e17 => 1e6,
        ..1e20 => 1e9,
        _ => return None,
    };
    let since = Duration::try_from_secs_f64(number / per_second).ok()?;
    // A float holds a date in this century to a quarter of a microsecond.
    UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(since.as_micros().div_ceil(1_000)).ok()?))
}

/// RFC 3339, also with small letters or a blank in place of the `T`.
pub(super) fn rfc3339(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    let at = |place: usize, of: &[u8]| bytes.get(place).is_some_and(|byte| of.contains(byte));
    if !(at(4, b"-") && at(7, b"-") && at(10, b"Tt ") && at(13, b":") && at(16, b":")) || bytes.len() > 64 {
        return None;
    }
    let [year, month, day] = [part(text, 0, 4)?, part(text, 5, 2)?, part(text, 8, 2)?];
    let [hour, minute, second] = [part(text, 11, 2)?, part(text, 14, 2)?, part(text, 17, 2)?];
    let (fraction, zone) = fraction(text.get(19..)?)?;
    date_time([year, month, day], [hour, minute, second], fraction, offset(zone)?)
}

/// A date and a time of day, `offset` seconds east of UTC.
pub(super) fn date_time(
    [year, month, day]: [i64; 3],
    time: [i64; 3],
    fraction: Duration,
    offset: i64,
) -> Option<SystemTime> {
    let [hour, minute, second] = time;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 60 || year < 1970 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))?.checked_add(fraction)
}

/// Days since 1970 in the Gregorian calendar: years are counted from March, so that the leap day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn fraction(text: &str) -> Option<(Duration, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((Duration::ZERO, text)) };
    let end = text.find(|next: char| !next.is_ascii_digit())?;
    let (digits, zone) = text.split_at_checked(end)?;
    Some((decimal(&format!("0.{digits}"), SECOND)?, zone))
}

/// `Z`, or hours and minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (part(zone, 1, 2)?, part(zone, 4, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// So many digits at this place.
pub(super) fn part(text: &str, from: usize, length: usize) -> Option<i64> {
    let digits = text.get(from..from.checked_add(length)?)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
