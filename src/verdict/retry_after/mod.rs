//! Reads how long an answer's header fields ask to wait. Pure: the time is an argument.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::verdict::times::{MILLISECOND, SECOND, decimal, http_date, own_now, until};

/// Fields that count milliseconds, most trusted first. They are finer than `Retry-After`, and come together with it.
static MILLISECOND_FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
    HeaderName::from_static("x-amz-retry-after"),
];

/// How long the header fields ask to wait, rounded up to whole milliseconds, at most ten years.
///
/// Reads `retry-after-ms` (or a similar field) and then `Retry-After` (RFC 9110, 10.2.3): seconds, or an HTTP-date in
/// any of the three forms of section 5.6.7. A date is measured from the answer's own `Date`, so that clocks may differ,
/// and from `now` if there is none. Beyond the RFC a fraction of seconds is understood. A date in the past is no wait
/// at all. Values that cannot be read are skipped, and so are numbers with a sign. Of several values of one field the
/// longest counts, so that no request comes too early.
///
/// ```
/// use http::HeaderMap;
/// use oauth_marathon::verdict::retry_after;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers, UNIX_EPOCH), Some(Duration::from_secs(120)));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let longest = |name: &HeaderName, read: &dyn Fn(&str) -> Option<Duration>| {
        headers.get_all(name).iter().filter_map(|value| read(text(value)?)).max()
    };
    let milliseconds = MILLISECOND_FIELDS.iter().find_map(|name| longest(name, &|text| decimal(text, MILLISECOND)));
    milliseconds.or_else(|| {
        longest(&RETRY_AFTER, &|text| {
            seconds(text).or_else(|| http_date(text).map(|date| until(date, own_now(headers, now))))
        })
    })
}

/// A number of seconds. Field lines may have been joined with a comma and a blank (RFC 9110, 5.3); `1,000` is something
/// else.
fn seconds(text: &str) -> Option<Duration> {
    decimal(text, SECOND).or_else(|| text.split(", ").filter_map(|line| decimal(line.trim(), SECOND)).max())
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests;
