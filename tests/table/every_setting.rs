//! Every setting at its least, next to it and at its largest, every kind of answer, every `whenAllCooling`: a request ends
//! within a bound of sends and of time.

use std::io::ErrorKind;
use std::time::Duration;

use oauth_marathon::Pool;
use oauth_marathon::config::Settings;
use oauth_marathon_test::{Reply, ScriptedProvider, ScriptedTokens};
use serde_json::json;
use tokio::time::Instant;

use crate::support::stage::{Stage, key, pool, post};

const HOUR: u64 = 60 * 60 * 1_000;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 366 * DAY;

/// Each numeric setting with the least, the next and the largest of its values.
const RANGES: [(&str, [u64; 3]); 17] = [
    ("maxAttempts", [1, 2, 1_000]),
    ("networkRetryAttempts", [0, 1, 10]),
    ("replayLimitBytes", [0, 1, 1 << 30]),
    ("rateLimitCooldownMs", [1_000, 1_001, YEAR]),
    ("authFailureCooldownMs", [1_000, 1_001, YEAR]),
    ("paymentCooldownMs", [1_000, 1_001, YEAR]),
    ("maxCooldownMs", [1_000, 1_001, YEAR]),
    ("maxGrownCooldownMs", [1_000, 1_001, YEAR]),
    ("toastDurationMs", [0, 1, DAY]),
    ("maxWaitMs", [0, 1, DAY]),
    ("refreshMarginMs", [0, 1, YEAR]),
    ("streamHoldMs", [0, 1, HOUR]),
    ("exchangeTimeoutMs", [100, 101, HOUR]),
    ("leaseMs", [100, 101, DAY]),
    ("connectTimeoutMs", [1, 2, HOUR]),
    ("attemptTimeoutMs", [1, 2, DAY]),
    ("streamIdleTimeoutMs", [1, 2, DAY]),
];

const MODES: [&str; 4] = ["answer", "wait", "probe", "error"];

/// The settings with this one, and with what has to go with it.
fn with(key: &str, value: u64, mode: &str) -> Settings {
    let mut all = json!({ "whenAllCooling": mode, key: value });
    match key {
        "maxCooldownMs" if value < YEAR => {
            for cooldown in ["rateLimitCooldownMs", "authFailureCooldownMs", "paymentCooldownMs"] {
                all[cooldown] = json!(1_000);
            }
        }
        "rateLimitCooldownMs" | "authFailureCooldownMs" | "paymentCooldownMs" => all["maxCooldownMs"] = json!(YEAR),
        "exchangeTimeoutMs" => all["leaseMs"] = json!(DAY),
        "leaseMs" if value < 1_000 => all["exchangeTimeoutMs"] = json!(100),
        _ => {}
    }
    // A lease is longer than an exchange.
    if key == "leaseMs" && value == 100 {
        all[key] = json!(101);
    }
    serde_json::from_value(all).expect("settings")
}

fn answers() -> [(&'static str, Reply); 10] {
    let limited = || Reply::status(429);
    [
        ("200", Reply::ok()),
        ("429", limited()),
        ("429 for 20 s", limited().header("retry-after", "20")),
        ("429 for 1 ms", limited().header("retry-after-ms", "1")),
        ("401", Reply::status(401)),
        ("402", Reply::status(402)),
        ("403", Reply::status(403)),
        ("500", Reply::status(500)),
        ("a broken connection", Reply::error(ErrorKind::ConnectionReset)),
        ("no answer", Reply::pending()),
    ]
}

#[test]
fn zero_is_refused_with_key_and_range_where_it_means_nothing() {
    for (key, [least, _, largest]) in RANGES {
        let problem = |value: u64| {
            let settings: Settings =
                serde_json::from_value(json!({ key: value })).map_err(|error| error.to_string())?;
            settings.validate().map_err(|error| error.to_string())
        };
        let too_much = problem(largest + 1).expect_err(key);
        assert!(too_much.contains(key) && too_much.contains(&largest.to_string()), "{key}: {too_much}");
        match problem(0) {
            Ok(()) => assert_eq!(least, 0, "{key}"),
            // The type itself allows no zero.
            Err(zero) if key == "maxAttempts" => assert!(zero.contains("nonzero"), "{zero}"),
            Err(zero) => assert!(least > 0 && zero.contains(key) && zero.contains(&least.to_string()), "{key}: {zero}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_ends_within_a_bound_of_sends_and_of_time() {
    for (key, values) in RANGES {
        for (value, mode) in values.into_iter().flat_map(|value| MODES.map(|mode| (value, mode))) {
            for (name, reply) in answers() {
                let settings = with(key, value, mode);
                let case = format!("{key} {value}, {mode}, {name}");
                two_requests(&settings, reply, name, mode, &case).await;
            }
        }
    }
}

/// Two accounts, a login and a key, that both are answered like this. Where a request may wait for a day, one account and one
/// request are enough.
async fn two_requests(settings: &Settings, reply: Reply, name: &str, mode: &str, case: &str) {
    let is_long = settings.max_wait > Duration::from_secs(60);
    let logins: &[&str] = if is_long { &[] } else { &["a"] };
    let accounts = pool(logins).credential(key("b")).token_source(ScriptedTokens::new()).settings(settings.clone());
    let stage = Stage::new(accounts, ScriptedProvider::new().otherwise(reply));
    let bound = Bound::of(settings, &stage.pool, name == "no answer", mode);
    for number in 1..=if is_long { 1 } else { 2 } {
        let (start, before) = (Instant::now(), stage.provider.counts().calls);
        let ended = tokio::time::timeout(bound.time, stage.try_send(post())).await;
        let sends = stage.provider.counts().calls - before;
        assert!(ended.is_ok(), "{case}, {number}: {:?} are over after {sends} sends", start.elapsed());
        assert!(sends <= bound.sends && (sends > 0 || number == 2), "{case}, {number}: {sends} of {}", bound.sends);
        let status = ended.expect("in time").map(|answer| answer.status);
        assert_eq!(name == "200", matches!(status, Ok(200)), "{case}, {number}: {status:?}");
    }
}

/// What one request may take.
struct Bound {
    sends: usize,
    time: Duration,
}

impl Bound {
    /// A round uses an account once, and again for its refresh, an old connection, its network retries and one server error.
    /// A new one begins a second after the last at the earliest.
    fn of(settings: &Settings, pool: &Pool, hangs: bool, mode: &str) -> Self {
        let accounts = pool.snapshot().credentials.len();
        let round = accounts * (4 + settings.network_retry_attempts as usize);
        let waits = if mode == "wait" { settings.max_wait } else { Duration::ZERO };
        let rounds = 1 + usize::try_from(waits.as_secs()).expect("a day at most");
        let attempt = if hangs { settings.attempt_timeout.expect("a limit") } else { Duration::from_secs(1) };
        let last_rounds = 2 * u32::try_from(round).expect("a few");
        Self { sends: round * rounds, time: waits + attempt * last_rounds + Duration::from_secs(60) }
    }
}
