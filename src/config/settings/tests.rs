//! Tests of the settings: defaults, JSON, and values that are refused.

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
        "maxGrownCooldownMs": 3_600_000,
        "connectTimeoutMs": 10_000,
        "attemptTimeoutMs": 600_000,
        "streamIdleTimeoutMs": 600_000,
        "exchangeTimeoutMs": 30_000,
        "leaseMs": 60_000,
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
        "rateLimitCooldownMs": 1_001,
        "authFailureCooldownMs": 1_002,
        "networkRetryAttempts": 0,
        "toastDurationMs": 3,
        "paymentCooldownMs": 1_004,
        "maxCooldownMs": 1_005,
        "maxWaitMs": 6,
        "refreshMarginMs": 7,
        "maxGrownCooldownMs": 1_006,
        "connectTimeoutMs": null,
        "attemptTimeoutMs": 8,
        "streamIdleTimeoutMs": 11,
        "exchangeTimeoutMs": 112,
        "leaseMs": 113,
        "streamHoldMs": 10,
        "replayLimitBytes": 9,
        "strategy": "round-robin",
        "whenAllCooling": "probe",
        "resend": "safe",
        "onBan": "next",
    });
    let settings: Settings = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(settings.attempt_timeout, Some(Duration::from_millis(8)));
    assert_eq!(settings.connect_timeout, None);
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
        (json!({ "attemptTimeoutMs": 0 }), "attemptTimeoutMs: must be from 1 to 86400000, or null for no limit"),
        (json!({ "connectTimeoutMs": 0 }), "connectTimeoutMs: must be from 1 to 3600000, or null for no limit"),
        (json!({ "streamIdleTimeoutMs": u64::MAX }), "streamIdleTimeoutMs: must be from 1 to 86400000, or null"),
        (json!({ "rateLimitCooldownMs": 999 }), "rateLimitCooldownMs: must be from 1000 to 31622400000"),
        (json!({ "authFailureCooldownMs": 0 }), "authFailureCooldownMs: must be from 1000 to 31622400000"),
        (json!({ "maxGrownCooldownMs": 0 }), "maxGrownCooldownMs: must be from 1000 to 31622400000"),
        (json!({ "maxCooldownMs": 1000 }), "rateLimitCooldownMs: must be at most maxCooldownMs, which is 1000"),
        (json!({ "maxCooldownMs": 40_000 }), "authFailureCooldownMs: must be at most maxCooldownMs, which is 40000"),
        (json!({ "paymentCooldownMs": 700_000_000 }), "paymentCooldownMs: must be at most maxCooldownMs"),
        (json!({ "maxCooldownMs": u64::MAX }), "maxCooldownMs: must be from 1000 to 31622400000"),
        (json!({ "toastDurationMs": u64::MAX }), "toastDurationMs: must be from 0 to 86400000"),
        (json!({ "maxWaitMs": u64::MAX }), "maxWaitMs: must be from 0 to 86400000"),
        (json!({ "refreshMarginMs": u64::MAX }), "refreshMarginMs: must be from 0 to 31622400000"),
        (json!({ "streamHoldMs": u64::MAX }), "streamHoldMs: must be from 0 to 3600000"),
        (json!({ "exchangeTimeoutMs": 99 }), "exchangeTimeoutMs: must be from 100 to 3600000"),
        (json!({ "leaseMs": 30_000 }), "leaseMs: must be more than exchangeTimeoutMs, which is 30000"),
        (json!({ "maxAttempts": 1_001 }), "maxAttempts: must be at most 1000"),
        (json!({ "networkRetryAttempts": 11 }), "networkRetryAttempts: must be at most 10"),
        (json!({ "replayLimitBytes": u64::MAX }), "replayLimitBytes: must be at most 1073741824"),
    ];
    for (json, expected) in table {
        let settings: Settings = serde_json::from_value(json.clone()).unwrap();
        let error = settings.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(expected), "{json}: {error}");
    }
}

#[test]
fn a_missing_time_limit_is_the_default_and_null_is_none() {
    let of = |json| serde_json::from_value::<Settings>(json).unwrap();
    let ten_minutes = Some(Duration::from_secs(600));
    assert_eq!((of(json!({})).attempt_timeout, of(json!({})).stream_idle_timeout), (ten_minutes, ten_minutes));
    let off = of(json!({ "attemptTimeoutMs": null, "streamIdleTimeoutMs": null, "connectTimeoutMs": null }));
    assert_eq!((off.attempt_timeout, off.stream_idle_timeout, off.connect_timeout), (None, None, None));
    off.validate().unwrap();
}
