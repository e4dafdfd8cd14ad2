//! Tables of `Retry-After` values and the waits that they state.

use std::time::UNIX_EPOCH;

use http::HeaderName;
use proptest::prelude::*;

use super::*;
use crate::verdict::times::LONGEST;

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110, 5.6.7.
const NOW: u64 = 784_111_777;

fn read(fields: &[(&str, &[u8])]) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    retry_after(&headers, UNIX_EPOCH + Duration::from_secs(NOW))
}

const fn ms(milliseconds: u64) -> Option<Duration> {
    Some(Duration::from_millis(milliseconds))
}

#[test]
fn retry_after_values_are_read_as_the_table_says() {
    let zero = Some(Duration::ZERO);
    let huge = Some(LONGEST);
    let thousand_digits = "9".repeat(1000);
    let table: &[(&str, Option<Duration>)] = &[
        // Numbers of seconds.
        ("0", zero),
        ("1", ms(1_000)),
        ("120", ms(120_000)),
        ("007", ms(7_000)),
        ("+5", None),
        (" 5", ms(5_000)),
        ("5 ", ms(5_000)),
        ("\t5\t", ms(5_000)),
        ("1.5", ms(1_500)),
        ("0.25", ms(250)),
        ("604800", ms(604_800_000)),
        ("5, 10", ms(10_000)),
        ("5, soon", ms(5_000)),
        ("1,000", None),
        ("5,", None),
        ("0.30000000000000004", ms(301)),
        ("0.0004", ms(1)),
        // Too much.
        ("315360000", huge),
        ("315360001", huge),
        ("9999999999", huge),
        ("18446744073709551616", huge),
        (&thousand_digits, huge),
        // The three forms of an HTTP-date.
        ("Sun, 06 Nov 1994 08:50:37 GMT", ms(60_000)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", ms(60_000)),
        ("Sun Nov  6 08:50:37 1994", ms(60_000)),
        ("  Sun, 06 Nov 1994 08:50:37 GMT  ", ms(60_000)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", zero),
        ("Sun, 06 Nov 1994 08:49:36 GMT", zero),
        ("Thu, 01 Jan 1970 00:00:00 GMT", zero),
        ("Fri, 31 Dec 9999 23:59:59 GMT", huge),
        // Nothing usable.
        ("", None),
        (" ", None),
        ("-1", None),
        ("-0", None),
        ("-1.5", None),
        ("+", None),
        ("-", None),
        (".", None),
        (".5", None),
        ("5.", None),
        ("1.2.3", None),
        ("++5", None),
        ("+-5", None),
        ("5 6", None),
        ("5s", None),
        ("1m30s", None),
        ("1e3", None),
        ("0x10", None),
        ("1_000", None),
        ("NaN", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("Infinity", None),
        ("null", None),
        ("not-a-date", None),
        (", 5", ms(5_000)),
        ("Sun, 06 Nov 1994 08:50:37", None),
        ("Sun, 99 Nov 1994 08:50:37 GMT", None),
        ("1994-11-06T08:50:37Z", None),
    ];
    for (text, expected) in table {
        assert_eq!(read(&[("retry-after", text.as_bytes())]), *expected, "{text:?}");
    }
}

#[test]
fn of_several_fields_the_finest_and_of_its_lines_the_longest_counts() {
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<Duration>);
    let table: &[Row<'_>] = &[
        (&[], None),
        (&[("retry-after-ms", "1500")], ms(1_500)),
        (&[("retry-after-ms", "0.5")], ms(1)),
        (&[("retry-after-ms", " 20 ")], ms(20)),
        (&[("retry-after-ms", "-1"), ("retry-after", "9")], ms(9_000)),
        (&[("retry-after-ms", "5"), ("retry-after-ms", "7")], ms(7)),
        (&[("retry-after", "9"), ("retry-after-ms", "1500")], ms(1_500)),
        (&[("retry-after", "9"), ("x-ms-retry-after-ms", "300")], ms(300)),
        (&[("retry-after", "9"), ("x-amz-retry-after", "400")], ms(400)),
        (&[("x-ms-retry-after-ms", "300"), ("retry-after-ms", "200")], ms(200)),
        (&[("retry-after-ms", "nan"), ("retry-after", "9")], ms(9_000)),
        (&[("retry-after-ms", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
        (&[("retry-after-ms", "99999999999999999999")], Some(LONGEST)),
        (&[("retry-after", "soon"), ("retry-after", "3"), ("retry-after", "4"), ("retry-after", "2")], ms(4_000)),
    ];
    for (fields, expected) in table {
        let bytes: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        assert_eq!(read(&bytes), *expected, "{fields:?}");
    }
    assert_eq!(read(&[("retry-after", b"\xff5"), ("retry-after", b"2")]), ms(2_000));
}

#[test]
fn a_date_is_measured_from_the_answers_own_clock() {
    let until: (&str, &[u8]) = ("retry-after", b"Sun, 06 Nov 1994 10:00:30 GMT");
    assert_eq!(read(&[until, ("date", b"Sun, 06 Nov 1994 10:00:00 GMT")]), ms(30_000));
    assert_eq!(read(&[until, ("date", b"yesterday")]), ms(4_253_000));
    assert_eq!(read(&[("retry-after", b"5"), ("date", b"Sun, 06 Nov 1994 10:00:00 GMT")]), ms(5_000));
}

proptest! {
    #[test]
    fn any_bytes_give_nothing_or_a_wait_within_bounds(
        seconds in prop::collection::vec(any::<u8>(), 0..60),
        milliseconds in "[-+]?[0-9]{0,40}[.]?[0-9]{0,40}[a-z]?",
        date in prop_oneof![".{0,40}", Just("Sun, 06 Nov 1994 08:49:37 GMT".to_owned())],
        now in 0..u64::from(u32::MAX),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("retry-after-ms", milliseconds.as_bytes()), ("retry-after", &seconds), ("date", date.as_bytes())] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        }
        if let Some(wait) = retry_after(&headers, UNIX_EPOCH + Duration::from_secs(now)) {
            prop_assert!(wait <= LONGEST);
        }
    }
}
