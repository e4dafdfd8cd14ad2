//! Property: any answer at all gives a verdict, never a panic, and times within bounds.

use std::time::Duration;

use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::verdict::Kind;
use proptest::prelude::*;

use super::answers::sample;
use super::not_believed::FAMILIES;

const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

const EXAMPLES: &str = include_str!("../fixtures/responses.jsonl");

fn bodies() -> Vec<String> {
    let body = |line| serde_json::from_str::<serde_json::Value>(line).ok()?["body"].as_str().map(str::to_owned);
    EXAMPLES.lines().filter_map(body).collect()
}

/// Fields that the rules look at.
const NAMES: &[&str] = &[
    "retry-after",
    "retry-after-ms",
    "date",
    "x-error-json",
    "x-amzn-errortype",
    "www-authenticate",
    "ratelimit",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-codex-primary-used-percent",
    "x-codex-primary-reset-at",
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-reset",
];

fn field() -> impl Strategy<Value = (&'static str, String)> {
    let value = prop_oneof![
        "[ -~]{0,24}",
        "[0-9]{1,30}",
        Just("rejected".to_owned()),
        Just("0".to_owned()),
        Just("100".to_owned())
    ];
    (prop::sample::select(NAMES), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let cut = (prop::sample::select(bodies()), 0.0..1.1_f64).prop_map(|(body, share)| {
        let end = ((body.len() as f64 * share) as usize).min(body.len());
        body.as_bytes()[..end].to_vec()
    });
    let changed =
        (prop::sample::select(bodies()), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(body, at, byte)| {
            let mut body = body.into_bytes();
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body
        });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), cut, changed]
}

proptest! {
    #[test]
    fn any_failed_answer_has_a_verdict_within_bounds(
        status in 400_u16..1000,
        fields in prop::collection::vec(field(), 0..5),
        body in body(),
        family in prop::sample::select(&FAMILIES[..]),
    ) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut sample = sample(status, &fields, "");
        sample.body = body.clone();
        let rules = ProviderRules::new(family);
        let verdict = sample.judged_by(&rules).unwrap();
        prop_assert!(!verdict.is_success() && !matches!(verdict.kind(), Kind::Network | Kind::Canceled));
        prop_assert_eq!(verdict.status().map(|status| status.as_u16()), Some(status));
        prop_assert_eq!(verdict.retry_after().is_some(), verdict.time_source().is_some());
        if let Some(wait) = verdict.retry_after() {
            prop_assert!(wait <= LONGEST);
            prop_assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
        }
        for event in [None, Some("error"), Some("throttlingException")] {
            let verdict = sample.event_judged_by(&rules, event, &body);
            prop_assert!(verdict.is_none_or(|verdict| verdict.retry_after().is_none_or(|wait| wait <= LONGEST)));
        }
    }

    #[test]
    fn a_json_body_that_is_cut_short_leaves_the_status(
        body in prop::sample::select(bodies()),
        share in 0.0..1.0_f64,
        family in prop::sample::select(&FAMILIES[..]),
    ) {
        let body = body.trim();
        prop_assume!(body.starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(body).is_ok());
        let most = (body.len() as f64 * share) as usize;
        let end = (0..=most).rev().find(|end| body.is_char_boundary(*end)).unwrap();
        let rules = ProviderRules::new(family);
        let of = |body: &str| sample(429, &[], body).judged_by(&rules).unwrap();
        prop_assert_eq!(of(&body[..end]), of(""));
    }
}
