//! Reads the values of the fields about limits. Strict: a value with anything in it that does not belong there is not
//! read.

use std::time::{Duration, SystemTime};

use crate::verdict::times;
pub(super) use crate::verdict::times::{LONGEST, http_date};
use crate::verdict::times::{SECOND, decimal};

/// A number of ASCII digits, with a fraction or without. No sign, no exponent, no unit.
pub(super) fn number(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) {
        text.parse().ok().filter(|number: &f64| number.is_finite())
    } else {
        None
    }
}

/// A count: a fraction is dropped, and a number that is too large becomes the largest.
pub(super) fn count(text: &str) -> Option<u64> {
    // A float cannot hold every large number.
    text.parse().ok().filter(|_| !text.starts_with('+')).or_else(|| Some(number(text)? as u64))
}

/// A time from now in seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    decimal(text, SECOND)
}

/// When a window resets, counted from `now`, in any form that providers write it in.
pub(super) fn reset(text: &str, now: SystemTime) -> Option<Duration> {
    const LONGEST_TEXT: usize = 64;
    (text.len() <= LONGEST_TEXT).then(|| times::reset(text, now)).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// 2026-11-22 08:33:00 UTC.
    const NOW: u64 = 1_795_336_380;

    #[test]
    fn a_reset_is_what_its_form_and_size_say() {
        let cases: [(&str, Option<u64>); 44] = [
            ("0", Some(0)),
            ("55", Some(55_000)),
            ("7.66", Some(7_660)),
            ("999999999", Some(LONGEST.as_millis() as u64)),
            ("1000000000", Some(0)),
            ("1795336440", Some(60_000)),
            ("1795336440.5", Some(60_500)),
            ("1795336440000", Some(60_000)),
            ("1795336440000000", Some(60_000)),
            ("1795336440000000000", Some(60_000)),
            ("1700000000", Some(0)),
            ("99999999999", Some(LONGEST.as_millis() as u64)),
            ("340282366920938463463374607431768211456", None),
            ("120ms", Some(120)),
            ("8.64s", Some(8_640)),
            ("6m0s", Some(360_000)),
            ("1h2m3s", Some(3_723_000)),
            ("2m59.56s", Some(179_560)),
            ("18h31m10s", Some(66_670_000)),
            ("114h18m0s", Some(411_480_000)),
            ("999999999h", Some(LONGEST.as_millis() as u64)),
            ("0s", Some(0)),
            ("2026-11-22T08:34:00Z", Some(60_000)),
            ("2026-11-22t08:34:00.250z", Some(60_250)),
            ("2026-11-22 08:34:00Z", Some(60_000)),
            ("2026-11-22T10:34:00+02:00", Some(60_000)),
            ("2020-01-01T00:00:00Z", Some(0)),
            ("Sun, 22 Nov 2026 08:34:00 GMT", Some(60_000)),
            ("Sunday, 22-Nov-26 08:34:00 GMT", Some(60_000)),
            ("", None),
            ("-5", None),
            ("+5", None),
            ("1e3", None),
            ("NaN", None),
            ("inf", None),
            (".5", None),
            ("5.", None),
            ("30 s junk", None),
            ("-6m0s", None),
            ("PT30S", None),
            ("2026-11-22T08:34:00", None),
            ("tomorrow", None),
            ("٣٠", None),
            ("0x1e", None),
        ];
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        for (text, expected) in cases {
            assert_eq!(reset(text, now).map(|reset| reset.as_millis() as u64), expected, "{text:?}");
        }
        assert_eq!(reset("1ms500µs", now), Some(Duration::from_millis(2)), "rounded up");
        assert_eq!(reset(&"1".repeat(65), now), None);
    }

    #[test]
    fn a_count_is_whole_and_has_no_sign() {
        let cases = [
            ("0", Some(0)),
            ("0500", Some(500)),
            ("17997.9", Some(17_997)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("+1", None),
            ("many", None),
            ("", None),
            ("1_000", None),
            ("1,000", None),
        ];
        for (text, expected) in cases {
            assert_eq!(count(text), expected, "{text:?}");
        }
    }
}
