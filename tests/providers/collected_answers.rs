//! The collected answers of `tests/fixtures/responses.jsonl`: class, scope and time of each.
//!
//! `expected`, `scope` and `retry_after_ms` are what an answer says; `accept_expected` and `accept` are what it may also be
//! taken for; `hint` marks times that no cooldown can last.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oauth_marathon::providers::failures::{Family, ProviderRules};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use serde_json::Value;

use super::answers::{Sample, now};

const EXAMPLES: &str = include_str!("../fixtures/responses.jsonl");

/// Ten years, the longest wait that is ever stated.
const LONGEST: u64 = 10 * 365 * 86_400_000;

/// Examples that are not for these rules to judge, and why.
const NOT_OURS: &[(&str, &str)] = &[(
    "token-200-no-access-token",
    "a 200 of a token endpoint is no failed answer: the reader of token responses refuses it",
)];

#[test]
fn every_example_is_judged_as_it_says() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for line in EXAMPLES.lines() {
        let example: Value = serde_json::from_str(line).unwrap();
        let id = example["id"].as_str().unwrap();
        if NOT_OURS.iter().any(|(known, _)| *known == id) {
            continue;
        }
        judged += 1;
        let verdict = judge(&example);
        for complaint in
            [class(&example, verdict), scope(&example, verdict), time(&example, verdict)].into_iter().flatten()
        {
            wrong.push(format!("{id}: {complaint}: {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(judged + NOT_OURS.len(), EXAMPLES.lines().count());
}

fn judge(example: &Value) -> Option<Verdict> {
    let sample = sample(example);
    let rules = match example["endpoint"].as_str() {
        Some("token" | "device") => ProviderRules::new(Family::OAuthServer),
        _ => ProviderRules::for_provider(example["provider"].as_str().unwrap()),
    };
    if sample.status.as_u16() >= 400 {
        return sample.judged_by(&rules);
    }
    assert_eq!(sample.judged_by(&rules), None, "no failure by its status");
    let frames = frames(&sample.body);
    frames.iter().find_map(|(event, data)| sample.event_judged_by(&rules, event.as_deref(), data))
}

fn sample(example: &Value) -> Sample {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &[u8]| {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    };
    let raw = &example["headers_b64"];
    for (name, value) in example["headers"].as_object().unwrap() {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in values {
            match raw[name].as_str() {
                Some(raw) => add(name, &STANDARD.decode(raw).unwrap()),
                None => add(name, value.as_str().unwrap().as_bytes()),
            }
        }
    }
    let body = match example["body_b64"].as_str() {
        Some(raw) => STANDARD.decode(raw).unwrap(),
        None => example["body"].as_str().unwrap().as_bytes().to_vec(),
    };
    let status = StatusCode::from_u16(example["status"].as_u64().unwrap() as u16).unwrap();
    Sample { status, headers, body, now: example["now"].as_str().map_or_else(now, rfc3339) }
}

/// `2026-03-23T23:08:46.305Z`, by way of the HTTP-date.
fn rfc3339(text: &str) -> SystemTime {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[text[5..7].parse::<usize>().unwrap() - 1];
    let (days, year) = (&text[8..10], &text[..4]);
    let fraction: f64 = text[19..].trim_end_matches('Z').parse().unwrap_or(0.0);
    // The weekday is not looked at.
    let date = format!("Sun, {days} {month} {year} {} GMT", &text[11..19]);
    let date = (0..7).find_map(|day| {
        let name = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][day];
        httpdate::parse_http_date(&date.replace("Sun", name)).ok()
    });
    let date = date.unwrap().duration_since(UNIX_EPOCH).unwrap();
    UNIX_EPOCH + date + Duration::from_millis((fraction * 1_000.0).round() as u64)
}

type Frame = (Option<String>, Vec<u8>);

/// The events of a stream, what stands behind them without a frame, and the headers and the payload of an event stream of AWS.
fn frames(body: &[u8]) -> Vec<Frame> {
    let text = String::from_utf8_lossy(body);
    if let Some((headers, payload)) = text.split_once('\n').filter(|(headers, _)| headers.contains(":exception-type")) {
        let headers: Value = serde_json::from_str(headers).unwrap();
        return vec![(headers[":exception-type"].as_str().map(str::to_owned), payload.as_bytes().to_vec())];
    }
    let (mut frames, mut event, mut data, mut tail) = (Vec::new(), None, Vec::<&str>::new(), Vec::<&str>::new());
    for line in text.lines().chain([""]) {
        if let Some(name) = line.strip_prefix("event:") {
            event = Some(name.trim().to_owned());
        } else if let Some(more) = line.strip_prefix("data:") {
            data.push(more);
        } else if line.is_empty() {
            let event = event.take();
            if !data.is_empty() {
                frames.push((event, data.join("\n").into_bytes()));
                data.clear();
            }
        } else if !line.starts_with(':') {
            tail.push(line);
        }
    }
    frames.push((None, tail.join("\n").into_bytes()));
    frames
}

fn class(example: &Value, verdict: Option<Verdict>) -> Option<String> {
    let class = verdict.map_or("ok", class_of);
    let accepted = example["accept_expected"].as_array().into_iter().flatten().any(|other| other == class);
    (example["expected"] != class && !accepted).then(|| format!("{class} and not {}", example["expected"]))
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict.kind() {
        Kind::Throttled => "rate_limited",
        Kind::QuotaExhausted => "quota_exhausted",
        Kind::Billing => "billing",
        Kind::Unauthorized => "auth_expired",
        Kind::Revoked | Kind::Banned => "auth_invalid",
        Kind::Overloaded => "overloaded",
        Kind::ServerError => "server_error",
        Kind::Forbidden => "forbidden_for_request",
        Kind::Rejected => "client_error",
        other => panic!("{other:?}"),
    }
}

fn scope(example: &Value, verdict: Option<Verdict>) -> Option<String> {
    let verdict = verdict?;
    // Another class that is accepted has a scope of its own.
    if example["expected"] != class_of(verdict) {
        return None;
    }
    let scope = match verdict.scope() {
        Scope::Credential | Scope::Generation => "credential",
        Scope::Model => "credential_model",
        Scope::Provider | Scope::Network => "provider",
        Scope::Request => "request",
        other => panic!("{other:?}"),
    };
    (example["scope"] != scope).then(|| format!("about the {scope} and not the {}", example["scope"]))
}

fn time(example: &Value, verdict: Option<Verdict>) -> Option<String> {
    let wait = verdict.and_then(|verdict| verdict.retry_after()).map(|wait| wait.as_millis() as u64);
    let stated = example["retry_after_ms"].as_u64();
    let as_stated = match example["hint"].as_str() {
        // No cooldown lasts so long.
        Some("saturate") => wait.is_none() || wait == Some(LONGEST),
        Some("clamp") => wait == stated.map(|stated| stated.min(LONGEST)),
        _ => wait == stated,
    };
    let accepted = || example["accept"].as_array().into_iter().flatten().any(|other| other.as_u64() == wait);
    (!as_stated && !accepted()).then(|| format!("{wait:?} ms and not {stated:?}"))
}
