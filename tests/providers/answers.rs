//! Helpers that build failed answers in few words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::verdict::{Answer, Classifier, Kind, Scope, Verdict};

/// An answer to be judged.
pub(crate) struct Sample {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When it arrived.
    pub(crate) now: SystemTime,
}

impl Sample {
    fn head(&self) -> Answer<'_> {
        Answer::new(self.status, &self.headers, self.now)
    }

    /// What the rules say of it. The body of a failure alone is read.
    pub(crate) fn judged_by(&self, rules: &ProviderRules) -> Option<Verdict> {
        let failed = self.status.as_u16() >= 400;
        rules.answer(&if failed { self.head().with_body(&self.body, true) } else { self.head() })
    }

    /// What the rules say of an object inside of it, as an event of a stream.
    pub(crate) fn event_judged_by(&self, rules: &ProviderRules, event: Option<&str>, data: &[u8]) -> Option<Verdict> {
        rules.error_object(&self.head(), event, data)
    }
}

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
    Sample { status: StatusCode::from_u16(status).unwrap(), headers: map, body: body.into(), now: now() }
}

pub(crate) fn judge(provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
    sample(status, headers, body).judged_by(&ProviderRules::for_provider(provider)).unwrap()
}

pub(crate) fn inside(provider: &str, event: Option<&str>, data: &str) -> Option<Verdict> {
    sample(200, &[], "").event_judged_by(&ProviderRules::for_provider(provider), event, data.as_bytes())
}

pub(crate) fn said(verdict: &Verdict) -> (Kind, Scope, Option<u64>) {
    (verdict.kind(), verdict.scope(), verdict.retry_after().map(|wait| wait.as_millis() as u64))
}
