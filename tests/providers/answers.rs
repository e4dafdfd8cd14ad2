//! Answers in few words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::testing::parsers::{self, Sample};
use oauth_marathon::verdict::{Kind, Scope, Verdict};

/// 2026-11-22 08:33:00 UTC.
pub(crate) const NOW: u64 = 1_795_336_380;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn sample(status: u16, headers: &[(&str, &str)], body: &str) -> Sample {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Sample::new(StatusCode::from_u16(status).unwrap(), map, body.to_owned(), now())
}

pub(crate) fn judge(provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
    parsers::answer(&ProviderRules::for_provider(provider), &sample(status, headers, body)).unwrap()
}

pub(crate) fn inside(provider: &str, event: Option<&str>, data: &str) -> Option<Verdict> {
    parsers::error_object(&ProviderRules::for_provider(provider), &sample(200, &[], ""), event, data.as_bytes())
}

pub(crate) fn said(verdict: &Verdict) -> (Kind, Scope, Option<u64>) {
    (verdict.kind(), verdict.scope(), verdict.retry_after().map(|wait| wait.as_millis() as u64))
}
