//! Points in time: RFC 3339, HTTP-dates and epochs of any unit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;
use jiff::Timestamp;

use super::{SECOND, decimal, wait};

/// The time from `now` to `date`; zero if that is past.
pub(crate) fn until(date: SystemTime, now: SystemTime) -> Duration {
    date.duration_since(now).map_or(Duration::ZERO, |left| wait(left.as_nanos()))
}

/// The time of day at the server, by the answer's own `Date`, so that clocks may differ. Our own time where there is no
/// `Date`.
pub(crate) fn own_now(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    headers.get_all(DATE).iter().find_map(|value| http_date(value.to_str().ok()?.trim())).unwrap_or(now)
}

/// An HTTP-date in any of the three forms of RFC 9110, 5.6.7.
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    // The longest form is the one of RFC 850: "Wednesday, 31-Dec-99 23:59:59 GMT".
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

/// A date as RFC 3339 writes it. Small letters, a blank in place of the `T` and offsets are read too; dates before 1970
/// are not.
pub(super) fn rfc3339(text: &str) -> Option<SystemTime> {
    let date: Timestamp = (text.len() <= 64).then(|| text.parse().ok()).flatten()?;
    (date >= Timestamp::UNIX_EPOCH).then(|| date.into())
}
