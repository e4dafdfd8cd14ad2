//! Tables of times as providers write them.

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::duration::words;
use super::*;

/// 2026-11-22 08:33:00 UTC.
const NOW: u64 = 1_795_336_380;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn ms(wait: Option<Duration>) -> Option<u128> {
    wait.map(|wait| wait.as_millis())
}

#[test]
fn go_durations() {
    let table = [
        ("1s", Some(1_000)),
        ("6m0s", Some(360_000)),
        ("120ms", Some(120)),
        ("8.64s", Some(8_640)),
        ("1h2m3s", Some(3_723_000)),
        ("2m59.56s", Some(179_560)),
        ("34.074824224s", Some(34_075)),
        ("900.2ms", Some(901)),
        ("114h18m0s", Some(411_480_000)),
        ("1ms500\u{b5}s", Some(2)),
        ("1ms500\u{3bc}s", Some(2)),
        ("1ns", Some(1)),
        ("0s", Some(0)),
        ("99999999999999999999999h", Some(LONGEST.as_millis())),
        ("", None),
        ("5", None),
        ("s", None),
        ("-5s", None),
        ("1d2h", None),
        ("5sec", None),
        ("1 s", None),
        ("1e3s", None),
        (".s", None),
        ("1.2.3s", None),
        ("\u{ff13}s", None),
    ];
    for (text, expected) in table {
        assert_eq!(ms(go(text)), expected, "{text:?}");
    }
}

#[test]
fn words_for_units() {
    let table = [
        ("35 seconds.", Some(35_000)),
        ("1 seconds", Some(1_000)),
        ("2 hours. Please", Some(7_200_000)),
        ("15 hours 23 minutes", Some(55_380_000)),
        ("1 day, 2 hours and 3 minutes", Some(93_780_000)),
        ("11.054s. Visit", Some(11_054)),
        ("9m38.016s. Need more", Some(578_016)),
        ("30sec", Some(30_000)),
        ("5.", None),
        ("5 apples", None),
        ("5spam", None),
        ("a while", None),
        ("-5s", None),
    ];
    for (text, expected) in table {
        assert_eq!(ms(words(text)), expected, "{text:?}");
    }
}

#[test]
fn points_in_time() {
    let at = NOW as u128 * 1_000 + 60_000;
    let table = [
        ("2026-11-22T08:34:00Z", Some(at)),
        ("2026-11-22t08:34:00.250z", Some(at + 250)),
        ("2026-11-22 08:34:00Z", Some(at)),
        ("2026-11-22T09:34:00+01:00", Some(at)),
        ("2026-11-22T03:04:00-05:30", Some(at)),
        ("2026-11-22T08:34:00.0000000001Z", None),
        ("Sun, 22 Nov 2026 08:34:00 GMT", Some(at)),
        ("1795336440", Some(at)),
        ("1795336440000", Some(at)),
        ("1795336440000000", Some(at)),
        ("1795336440000000000", Some(at)),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
        ("2000-03-01T00:00:00Z", Some(951_868_800_000)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2026-02-29T00:00:00Z", None),
        ("2100-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-11-22T24:00:00Z", None),
        ("2026-11-22T08:34:00", None),
        ("2026-11-22T08:34:00+1:00", None),
        ("2026-11-22T08:34:00.Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("-1795336440", None),
        ("1e9", None),
        ("999999999999999999999999", None),
        ("", None),
    ];
    for (text, expected) in table {
        let got = point(text).map(|date| date.duration_since(UNIX_EPOCH).unwrap().as_millis());
        // A float of nanoseconds is exact to a quarter of a microsecond.
        assert_eq!(got, expected, "{text:?}");
    }
}

#[test]
fn reset_fields_of_any_kind() {
    let table = [
        ("50", Some(50_000)),
        ("0.5", Some(500)),
        ("999999999", Some(LONGEST.as_millis())),
        ("1795336440", Some(60_000)),
        ("1795336440000", Some(60_000)),
        ("1700000000", Some(0)),
        ("6m0s", Some(360_000)),
        ("2026-11-22T08:34:00Z", Some(60_000)),
        ("Sun, 22 Nov 2026 08:34:00 GMT", Some(60_000)),
        (" 50 ", Some(50_000)),
        ("", None),
        ("-5", None),
        ("NaN", None),
        ("inf", None),
        ("soon", None),
    ];
    for (text, expected) in table {
        assert_eq!(ms(reset(text, now())), expected, "{text:?}");
    }
}

#[test]
fn times_in_sentences() {
    let table = [
        ("rate limit reached for x. please try again in 11.054s. visit https://x", Some(11_054)),
        ("please retry after 33 seconds. please go here", Some(33_000)),
        ("your quota will reset after 18h31m10s.", Some(66_670_000)),
        ("please retry in 900.2ms.", Some(901)),
        ("try again in 6m0s", Some(360_000)),
        ("please try again after 1 seconds", Some(1_000)),
        ("you will regain access on 2026-12-01 at 00:00 utc.", Some(746_820_000)),
        ("it will reset at 2026-11-22 17:33:00 +0800 cst.", Some(3_600_000)),
        ("claude ai usage limit reached|1795336440", Some(60_000)),
        // The words that a message quotes stand before its own time.
        ("the model `try again in 5s` is limited. try again in 20s.", Some(20_000)),
        ("your limit will reset at 2026-08-27 21:31:39", None),
        ("reset on april 19, 2026 at 9:00 pm", None),
        ("try again at 6:26 am.", None),
        ("try again in 5.", None),
        ("try again in -5s.", None),
        ("try again later", None),
        ("40 api calls / minute", None),
        ("limit reached|17", None),
        ("|", None),
    ];
    for (text, expected) in table {
        assert_eq!(ms(stated(text, now())), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_nothing_or_a_wait_within_bounds(text in "\\PC{0,80}", number in any::<f64>()) {
        let before = ["", "try again in ", "reset at ", "limit reached|"];
        for before in before {
            let text = format!("{before}{text}");
            let date = point(&text).map(|date| until(date, now()));
            let waits = [go(&text), reset(&text, now()), stated(&text, now()), words(&text), date, decimal(&text, SECOND)];
            for wait in waits.into_iter().flatten() {
                prop_assert!(wait <= LONGEST);
                prop_assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
            }
        }
        prop_assert!(float(number, SECOND).is_none_or(|wait| wait <= LONGEST));
    }

    #[test]
    fn a_printed_duration_is_read_back(hours in 0_u64..1_000, minutes in 0_u64..60, milliseconds in 0_u64..60_000) {
        let text = format!("{hours}h{minutes}m{}.{:03}s", milliseconds / 1_000, milliseconds % 1_000);
        let expected = Duration::from_millis(hours * 3_600_000 + minutes * 60_000 + milliseconds);
        prop_assert_eq!(go(&text), Some(expected));
    }

    #[test]
    fn an_http_date_and_rfc_3339_agree(seconds in 0_u64..4_000_000_000) {
        let date = UNIX_EPOCH + Duration::from_secs(seconds);
        let http = httpdate::fmt_http_date(date);
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = months.iter().position(|month| *month == &http[8..11]).unwrap() + 1;
        let text = format!("{}-{month:02}-{}T{}Z", &http[12..16], &http[5..7], &http[17..25]);
        prop_assert_eq!(point(&text), Some(date));
    }
}
