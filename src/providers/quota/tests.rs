//! Tests of reading quotas: tables in a short form, and properties of every answer.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2026-11-22 08:33:00 UTC.
pub(super) const NOW: Duration = Duration::from_secs(1_795_336_380);

/// A window that is expected. Times are in ms, lengths in s.
#[derive(Debug, Clone)]
pub(super) struct Row(Window);

impl Row {
    pub(super) fn new(name: &str, scope: WindowScope) -> Self {
        let (limit, remaining, used, length, resets_after) = (None, None, None, None, None);
        Self(Window { name: name.to_owned(), scope, limit, remaining, used, length, resets_after, exhausted: false })
    }

    pub(super) fn limit(mut self, limit: u64) -> Self {
        self.0.limit = Some(limit);
        self
    }

    pub(super) fn remaining(mut self, remaining: u64) -> Self {
        self.0.remaining = Some(remaining);
        self
    }

    pub(super) fn used(mut self, used: f64) -> Self {
        self.0.used = Some(used);
        self
    }

    pub(super) fn lasts(mut self, seconds: u64) -> Self {
        self.0.length = Some(Duration::from_secs(seconds));
        self
    }

    pub(super) fn resets(mut self, milliseconds: u64) -> Self {
        self.0.resets_after = Some(Duration::from_millis(milliseconds));
        self
    }

    pub(super) fn exhausted(mut self) -> Self {
        self.0.exhausted = true;
        self
    }
}

pub(super) fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

#[track_caller]
pub(super) fn check(fields: &[(&str, &str)], expected: &[Row]) {
    check_windows(Quota::read(&headers(fields), UNIX_EPOCH + NOW).windows(), expected);
}

/// Compares shares within what floats differ by, resets in whole ms, and everything else as it is. The order does not matter.
#[track_caller]
pub(super) fn check_windows(windows: &[Window], expected: &[Row]) {
    let mut left = windows.to_vec();
    for Row(row) in expected {
        let at = left.iter().position(|window| window.name == row.name);
        let at = at.unwrap_or_else(|| panic!("no window {:?} in {windows:#?}", row.name));
        let mut window = left.remove(at);
        if let (Some(used), Some(wanted)) = (window.used, row.used)
            && (used - wanted).abs() < 1e-9
        {
            window.used = Some(wanted);
        }
        window.resets_after = window.resets_after.map(|reset| Duration::from_millis(in_ms(reset)));
        assert_eq!(&window, row);
    }
    assert!(left.is_empty(), "unexpected: {left:#?}");
}

/// Rounded up, so that no request comes back too early.
pub(super) fn in_ms(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}

/// The exhausted window of an answer: its name, its scope and its reset in ms.
fn exhausted(fields: &[(&str, &str)]) -> Option<(String, WindowScope, Option<u64>)> {
    let quota = Quota::read(&headers(fields), UNIX_EPOCH + NOW);
    let window = quota.exhausted()?;
    Some((window.name.clone(), window.scope, window.resets_after.map(in_ms)))
}

#[test]
fn the_exhausted_window_with_the_latest_reset_counts_and_the_wider_one_first() {
    use WindowScope::{Bucket, Credential, Model};
    let unified = |rest: &str| format!("anthropic-ratelimit-unified-{rest}");
    type Expected = Option<(&'static str, WindowScope, Option<u64>)>;
    let cases: Vec<(Vec<(String, &str)>, Expected)> = vec![
        (vec![], None),
        (vec![("x-ratelimit-remaining".into(), "12"), ("x-ratelimit-reset".into(), "50")], None),
        (vec![("x-ratelimit-remaining".into(), "many"), ("x-ratelimit-reset".into(), "50")], None),
        (
            vec![("x-ratelimit-remaining".into(), "0"), ("x-ratelimit-reset".into(), "50")],
            Some(("default", Credential, Some(50_000))),
        ),
        (
            vec![("x-ratelimit-remaining".into(), "0"), ("x-ratelimit-reset".into(), "1700000000")],
            Some(("default", Credential, Some(0))),
        ),
        (
            vec![
                ("x-ratelimit-remaining-requests".into(), "0"),
                ("x-ratelimit-reset-requests".into(), "1s"),
                ("x-ratelimit-remaining-tokens".into(), "0"),
                ("x-ratelimit-reset-tokens".into(), "1m2.5s"),
            ],
            Some(("tokens", Model, Some(62_500))),
        ),
        (
            vec![("x-ratelimit-remaining-requests".into(), "0"), ("x-ratelimit-reset-requests".into(), "1ms500µs")],
            Some(("requests", Model, Some(2))),
        ),
        (
            vec![("x-ratelimit-remaining-requests".into(), "0"), ("x-ratelimit-reset-requests".into(), "1d2h")],
            Some(("requests", Model, None)),
        ),
        (
            vec![
                (unified("5h-status"), "rejected"),
                (unified("5h-reset"), "1795350000"),
                (unified("7d-status"), "rejected"),
                (unified("7d-reset"), "1795941180"),
            ],
            Some(("7d", Credential, Some(604_800_000))),
        ),
        (
            vec![
                (unified("5h-status"), "rejected"),
                (unified("5h-reset"), "1795336440"),
                (unified("7d_opus-status"), "rejected"),
                (unified("7d_opus-reset"), "1795941180"),
            ],
            Some(("5h", Credential, Some(60_000))),
        ),
        (
            vec![
                (unified("status"), "rejected"),
                (unified("5h-status"), "allowed"),
                (unified("7d_opus-status"), "rejected"),
                (unified("7d_opus-reset"), "1795336440"),
            ],
            Some(("7d_opus", Model, Some(60_000))),
        ),
        (vec![(unified("status"), "allowed"), (unified("overage-status"), "rejected")], None),
        (
            vec![
                ("x-codex-primary-used-percent".into(), "100"),
                ("x-codex-primary-reset-after-seconds".into(), "1260"),
                ("x-codex-secondary-used-percent".into(), "100.0"),
                ("x-codex-secondary-reset-after-seconds".into(), "400000"),
            ],
            Some(("secondary", Credential, Some(400_000_000))),
        ),
        (vec![("x-codex-primary-used-percent".into(), "100")], Some(("primary", Credential, None))),
        (
            vec![("x-codex-primary-used-percent".into(), "NaN"), ("x-codex-primary-reset-after-seconds".into(), "60")],
            None,
        ),
        (
            vec![(
                "x-quota-snapshot-premium_interactions".into(),
                "ent=300&ovPerm=false&rem=0.0&rst=2026-11-22T08%3A34%3A00Z",
            )],
            Some(("premium_interactions", Bucket, Some(60_000))),
        ),
        (
            vec![("ratelimit".into(), "\"burst\";r=0;t=30"), ("ratelimit".into(), "\"daily\";r=900;t=36400")],
            Some(("burst", Credential, Some(30_000))),
        ),
    ];
    for (fields, expected) in cases {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let expected = expected.map(|(name, scope, reset)| (name.to_owned(), scope, reset));
        assert_eq!(exhausted(&fields), expected, "{fields:?}");
    }
}

#[test]
fn dates_are_measured_from_the_answers_own_clock() {
    let fields = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795336440"),
        ("anthropic-ratelimit-unified-5h-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-reset", "1795336440"),
        // Their clock is half a minute behind ours.
        ("date", "Sun, 22 Nov 2026 08:32:30 GMT"),
    ];
    let read = |now| Quota::read(&headers(&fields), now);
    for now in [UNIX_EPOCH, UNIX_EPOCH + NOW, UNIX_EPOCH + NOW * 2] {
        let resets: Vec<_> = read(now).windows().iter().map(|window| window.resets_after).collect();
        assert_eq!(resets, [Some(Duration::from_secs(90)); 2]);
        assert_eq!(read(now).as_of(), now);
    }
}

#[test]
fn what_is_left_is_what_there_is_least_of() {
    let left = |fields: &[(&str, &str)]| Quota::read(&headers(fields), UNIX_EPOCH + NOW).left();
    assert_eq!(left(&[]), None);
    assert_eq!(left(&[("x-ratelimit-remaining", "7")]), None);
    assert_eq!(left(&[("x-ratelimit-remaining", "0")]), Some(0.0));
    let both = [("x-codex-primary-used-percent", "25"), ("x-codex-secondary-used-percent", "50")];
    assert_eq!(left(&both), Some(0.5));
    assert_eq!(left(&[both[0], ("x-codex-secondary-used-percent", "104")]), Some(0.0));
    assert_eq!(left(&[both[0], ("x-quota-snapshot-chat", "rem=0")]), Some(0.75));
}

#[test]
fn as_time_goes_by_resets_come_nearer_and_what_was_reset_is_forgotten() {
    let fields = [
        ("x-ratelimit-remaining-a", "0"),
        ("x-ratelimit-reset-a", "60"),
        ("x-ratelimit-remaining-b", "5"),
        ("x-ratelimit-reset-b", "61"),
        ("x-ratelimit-remaining-c", "0"),
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "300"),
    ];
    let start = UNIX_EPOCH + NOW;
    let quota = Quota::read(&headers(&fields), start);
    let known = |quota: &Quota| {
        let of = |window: &Window| format!("{} {:?}", window.name, window.resets_after.map(|reset| reset.as_secs()));
        quota.windows().iter().map(of).collect::<Vec<_>>()
    };
    let at = |seconds: u64| quota.at(start + Duration::from_secs(seconds));
    assert_eq!(quota.at(start), quota);
    assert_eq!(quota.at(UNIX_EPOCH), quota, "a clock that was set back");
    assert_eq!(known(&at(59)), ["a Some(1)", "b Some(2)", "c None", "primary None"]);
    assert_eq!(known(&at(60)), ["b Some(1)", "c None", "primary None"]);
    assert_eq!(known(&at(60).at(start + Duration::from_secs(61))), ["c None", "primary None"]);
    assert_eq!(known(&at(3_600)), ["primary None"]);
    assert!(at(5 * 3_600).is_empty());
    assert_eq!(at(60).as_of(), start + Duration::from_secs(60));
}

#[test]
fn there_are_only_so_many_windows_and_their_names_are_short() {
    let mut headers = HeaderMap::new();
    for at in 0..1_000 {
        let name = format!("x-ratelimit-remaining-{at}").parse::<HeaderName>().unwrap();
        headers.insert(name, HeaderValue::from_static("1"));
    }
    assert_eq!(Quota::read(&headers, UNIX_EPOCH).windows().len(), Quota::MOST_WINDOWS);
    let long = format!("x-ratelimit-remaining-{}", "a".repeat(65));
    check(&[(&long, "0")], &[]);
}

fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
        "x-ratelimit-remaining-req-minute",
        "x-rate-limit-reset-tokens",
        "x-tokenlimit-remaining",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-unified-status",
        "anthropic-ratelimit-unified-representative-claim",
        "anthropic-ratelimit-unified-5h-status",
        "anthropic-ratelimit-unified-5h-utilization",
        "anthropic-ratelimit-unified-7d_opus-reset",
        "x-codex-primary-used-percent",
        "x-codex-primary-window-minutes",
        "x-codex-primary-reset-at",
        "x-codex-other-secondary-reset-after-seconds",
        "x-quota-snapshot-chat",
        "ratelimit",
        "ratelimit-policy",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "date",
    ]);
    let made = "(x-ratelimit-|anthropic-ratelimit-unified-|x-codex-|x-|x-quota-snapshot-)[a-z0-9_-]{0,40}";
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => made]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "0",
        "100",
        "1795336440",
        "1795336440000",
        "99999999999999999999999999",
        "6m0s",
        "1.04",
        "rejected",
        "allowed",
        "five_hour",
        "2026-11-22T08:34:00Z",
        "Sun, 22 Nov 2026 08:34:00 GMT",
        "ent=300&rem=0&rst=2026-11-22T08%3A34%3A00Z",
        "\"a\";r=0;t=999999999999999",
        "limit=1, remaining=0, reset=999999999999999",
        "100, 100;w=10",
    ]);
    let any = prop::collection::vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8, Just(b'\t')], 0..80);
    prop_oneof![2 => known.prop_map(|value| value.as_bytes().to_vec()), 1 => "[0-9.:;=,\"hmsT-]{0,30}".prop_map(String::into_bytes), 1 => any]
}

proptest! {
    #[test]
    fn no_answer_breaks_it_and_every_figure_is_within_its_bounds(
        fields in prop::collection::vec((name(), value()), 0..60),
        seconds in 0_u64..=10_000_000_000,
        later in 0_u64..=10_000_000_000,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(&value)) else { continue };
            headers.append(name, value);
        }
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        let quota = Quota::read(&headers, now);
        prop_assert_eq!(quota.as_of(), now);
        prop_assert!(quota.windows().len() <= Quota::MOST_WINDOWS);
        for (at, window) in quota.windows().iter().enumerate() {
            prop_assert!(window.resets_after.is_none_or(|reset| reset <= value::LONGEST));
            prop_assert!(window.length.is_none_or(|length| length <= value::LONGEST));
            prop_assert!(window.used.is_none_or(|used| used.is_finite() && used >= 0.0));
            prop_assert!(window.left().is_none_or(|left| (0.0..=1.0).contains(&left)));
            prop_assert!(window.name.len() <= 64);
            prop_assert_eq!(quota.window(&window.name), Some(&quota.windows()[at]));
        }
        let exhausted: Vec<_> = quota.windows().iter().filter(|window| window.exhausted).collect();
        prop_assert_eq!(quota.exhausted().is_some(), !exhausted.is_empty());
        let latest = quota.exhausted();
        let is_later = |one: &Window, other: &Window| one.scope != other.scope || one.resets_after >= other.resets_after;
        prop_assert!(exhausted.iter().all(|window| latest.is_some_and(|latest| is_later(latest, window))));

        // Later there is no more of anything, and it is the same in one step or two.
        let later = now + Duration::from_secs(later);
        prop_assert!(quota.at(later).windows().len() <= quota.windows().len());
        prop_assert_eq!(quota.at(later), quota.at(now).at(later));

        // Kept in between, it says the same.
        let latest = Latest::default();
        latest.keep(&headers);
        let kept = latest.read(now);
        let named = headers.keys().any(|name| fields::is_named(name.as_str()));
        prop_assert_eq!(kept.is_empty(), !named || quota.at(now).is_empty());
        prop_assert!(kept.windows().len() <= quota.windows().len());
    }

    #[test]
    fn no_event_breaks_it(data in prop::collection::vec(any::<u8>(), 0..200), percent in any::<f64>(), reset in any::<i64>()) {
        let _ = Quota::read_event(&data, UNIX_EPOCH);
        let event = format!(
            r#"{{"type":"codex.rate_limits","rate_limits":{{"primary":{{"used_percent":{percent:?},"reset_at":{reset}}}}}}}"#
        );
        if let Some(quota) = Quota::read_event(event.as_bytes(), UNIX_EPOCH) {
            prop_assert!(quota.windows().iter().all(|window| window.used.is_none_or(f64::is_finite)));
        }
    }
}
