//! Reads one text as every form of a time: in header fields, and in the members and sentences of a body.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use oauth_marathon::providers::failures::{Family, ProviderRules};
use oauth_marathon::verdict::{Answer, Classifier};

/// Fields whose times are read in different forms, beside others that make them count.
const FIELDS: [(&str, &[(&str, &str)]); 6] = [
    ("retry-after", &[]),
    ("retry-after-ms", &[]),
    ("x-ratelimit-reset-requests", &[("x-ratelimit-remaining-requests", "0")]),
    ("x-ratelimit-reset", &[("x-ratelimit-remaining", "0")]),
    ("anthropic-ratelimit-requests-reset", &[("anthropic-ratelimit-requests-remaining", "0")]),
    ("x-codex-primary-reset-at", &[("x-codex-primary-used-percent", "100")]),
];

/// What stands before and after the text in a body.
const BODIES: [(&str, &str); 9] = [
    (r#"{"error":{"message":""#, r#""}}"#),
    (r#"{"error":{"message":"Please try again in "#, r#""}}"#),
    (r#"{"error":{"message":"Your limit will reset at "#, r#""}}"#),
    (r#"{"error":{"resets_at":""#, r#""}}"#),
    (r#"{"error":{"resets_in_seconds":""#, r#""}}"#),
    (r#"{"error":{"retry_after":""#, r#""}}"#),
    (r#"{"error":{"details":[{"retryDelay":""#, r#""}]}}"#),
    (r#"{"error":{"details":[{"metadata":{"quotaResetDelay":""#, r#""}}]}}"#),
    (r#"{"error":{"details":[{"metadata":{"quotaResetTimeStamp":""#, r#""}}]}}"#),
];

const FAMILIES: [Family; 6] =
    [Family::OpenAi, Family::Codex, Family::Anthropic, Family::CodeAssist, Family::Copilot, Family::Generic];

fn check(headers: &HeaderMap, body: &str, now: SystemTime) {
    let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, now).with_body(body.as_bytes(), true);
    for family in FAMILIES {
        let verdict = ProviderRules::new(family).answer(&answer).expect("a failure");
        if let Some(wait) = verdict.retry_after() {
            assert!(wait <= Duration::from_secs(10 * 365 * 86_400));
            assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    if let Ok(value) = HeaderValue::from_str(text) {
        for (name, others) in FIELDS {
            let others = others.iter().map(|(name, value)| (*name, HeaderValue::from_static(value)));
            let fields = others.chain([(name, value.clone())]);
            check(&fields.map(|(name, value)| (name.parse().expect("a name"), value)).collect(), "", now);
        }
    }
    let quoted = serde_json::to_string(text).expect("any text can be written");
    let text = &quoted[1..quoted.len() - 1];
    for (before, after) in BODIES {
        check(&HeaderMap::new(), &format!("{before}{text}{after}"), now);
    }
});
