use serde_json::json;

use super::*;
use crate::ErrorKind;

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let expected = json!({
        "maxAttempts": null,
        "rateLimitCooldownMs": 30_000,
        "authFailureCooldownMs": 300_000,
        "networkRetryAttempts": 1,
        "toastDurationMs": 8_000,
        "paymentCooldownMs": 3_600_000,
        "maxCooldownMs": 691_200_000,
        "maxWaitMs": 60_000,
        "refreshMarginMs": 300_000,
        "attemptTimeoutMs": null,
        "streamHoldMs": 30_000,
        "replayLimitBytes": 1_048_576,
        "strategy": "sticky",
        "whenAllCooling": "answer",
        "resend": "always",
        "onBan": "return",
    });
    assert_eq!(serde_json::to_value(Settings::default()).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Settings>(json!({})).unwrap(), Settings::default());
    Settings::default().validate().unwrap();
}

#[test]
fn every_key_is_read_and_written_back() {
    let json = json!({
        "maxAttempts": 3,
        "rateLimitCooldownMs": 1,
        "authFailureCooldownMs": 2,
        "networkRetryAttempts": 0,
        "toastDurationMs": 3,
        "paymentCooldownMs": 4,
        "maxCooldownMs": 5,
        "maxWaitMs": 6,
        "refreshMarginMs": 7,
        "attemptTimeoutMs": 8,
        "streamHoldMs": 10,
        "replayLimitBytes": 9,
        "strategy": "round-robin",
        "whenAllCooling": "probe",
        "resend": "safe",
        "onBan": "next",
    });
    let settings: Settings = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(settings.attempt_timeout, Some(Duration::from_millis(8)));
    assert_eq!(serde_json::to_value(&settings).unwrap(), json);
    settings.validate().unwrap();
}

#[test]
fn what_is_no_setting_is_refused() {
    for wrong in [
        json!({ "maxAttempts": 0 }),
        json!({ "maxAttempts": 4_294_967_296_u64 }),
        json!({ "maxWaitMs": -1 }),
        json!({ "maxWaitMs": 0.5 }),
        json!({ "maxWaitMs": "60000" }),
        json!({ "maxWaitMs": null }),
        json!({ "strategy": "Sticky" }),
        json!({ "strategy": "roundrobin" }),
        json!({ "onBan": "carry" }),
        json!({ "max_wait": 1 }),
    ] {
        assert!(serde_json::from_value::<Settings>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn impossible_values_are_named_with_what_would_be_right() {
    let table = [
        (json!({ "attemptTimeoutMs": 0 }), "attemptTimeoutMs: must be 1 or more; leave the key out"),
        (json!({ "maxCooldownMs": 1000 }), "rateLimitCooldownMs: must be at most maxCooldownMs, which is 1000"),
        (json!({ "maxCooldownMs": 40_000 }), "authFailureCooldownMs: must be at most maxCooldownMs, which is 40000"),
        (json!({ "paymentCooldownMs": 700_000_000 }), "paymentCooldownMs: must be at most maxCooldownMs"),
        (json!({ "maxCooldownMs": u64::MAX }), "maxCooldownMs: must be at most 315360000000 (ten years)"),
        (json!({ "attemptTimeoutMs": u64::MAX }), "attemptTimeoutMs: must be at most 315360000000"),
        (json!({ "toastDurationMs": u64::MAX }), "toastDurationMs: must be at most"),
        (json!({ "maxWaitMs": u64::MAX }), "maxWaitMs: must be at most"),
        (json!({ "refreshMarginMs": u64::MAX }), "refreshMarginMs: must be at most"),
    ];
    for (json, expected) in table {
        let settings: Settings = serde_json::from_value(json.clone()).unwrap();
        let error = settings.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(expected), "{json}: {error}");
    }
}
