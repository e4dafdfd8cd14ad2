//! How long an answer's header fields ask to wait. Pure: the time is an argument.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that count milliseconds, most trusted first. They are finer than `Retry-After` and are sent beside it.
static MILLISECOND_FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
    HeaderName::from_static("x-amz-retry-after"),
];

/// Ten years. Longer waits are shortened to it, so that adding one to a time cannot overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How long the header fields ask to wait, at most ten years.
///
/// Reads `retry-after-ms` (or one of its relatives) and then `Retry-After` (RFC 9110, 10.2.3): seconds, or an HTTP-date
/// in any of the three forms of section 5.6.7. A date is measured from the answer's own `Date`, which takes the skew
/// between the clocks out, and from `now` where there is none. Beyond the RFC a fraction and a sign are understood.
/// The past is no wait at all. What cannot be read is skipped; of several values the first usable one counts.
///
/// ```
/// use http::HeaderMap;
/// use oauth_marathon::classify::retry_after;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers, UNIX_EPOCH), Some(Duration::from_secs(120)));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let milliseconds = MILLISECOND_FIELDS
        .iter()
        .flat_map(|name| headers.get_all(name))
        .find_map(|value| duration(number(text(value)?)? / 1000.0));
    milliseconds.or_else(|| {
        let own_now = || headers.get_all(DATE).iter().find_map(date).unwrap_or(now);
        headers
            .get_all(RETRY_AFTER)
            .iter()
            .find_map(|value| seconds(value).or_else(|| Some(until(date(value)?, own_now()))))
    })
}

/// Delta-seconds. Two field lines may have been joined by a comma (RFC 9110, 5.3): the first counts.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let text = text(value)?;
    let first = text.split_once(',').map_or(text, |(first, _)| first);
    duration(number(first.trim())?)
}

fn until(date: SystemTime, now: SystemTime) -> Duration {
    date.duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST)
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(text(value)?).ok()
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

/// A decimal number of ASCII digits. The float parser alone would also take `inf`, `nan` and exponents.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) { text.parse().ok() } else { None }
}

/// Clamped first: a `Duration` cannot be made of a number that is negative or too large.
fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests;
