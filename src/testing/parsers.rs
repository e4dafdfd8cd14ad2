//! The readers of what comes from the network, for fuzzing, counts of instructions and tables of answers.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

use crate::credentials::TokenSet;
use crate::credentials::origin::{BaseUrl, Origin, parse_endpoint};
use crate::providers::failures::ProviderRules;
use crate::tokens::refresh::{RefreshError, token_response};
use crate::verdict::Verdict;
use crate::verdict::times;
use crate::verdict::{Answer, Classifier as _};

/// An answer to be judged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sample {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When it arrived.
    pub now: SystemTime,
}

impl Sample {
    /// An answer that arrived at `now`.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>, now: SystemTime) -> Self {
        Self { status, headers, body: body.into(), now }
    }
}

/// What the rules say of an answer.
pub fn answer(rules: &ProviderRules, sample: &Sample) -> Option<Verdict> {
    let answer = Answer::new(sample.status, &sample.headers, sample.now);
    let failed = sample.status.as_u16() >= 400;
    rules.answer(&if failed { answer.with_body(&sample.body, true) } else { answer })
}

/// What the rules say of an object inside of the answer, as a stream's event.
pub fn error_object(rules: &ProviderRules, head: &Sample, event: Option<&str>, data: &[u8]) -> Option<Verdict> {
    rules.error_object(&Answer::new(head.status, &head.headers, head.now), event, data)
}

/// What the answer of a token endpoint says after a request with `previous`.
///
/// # Errors
///
/// As a refresh.
pub fn token_response(sample: &Sample, previous: &TokenSet) -> Result<TokenSet, RefreshError> {
    token_response::read(sample.status, &sample.headers, &sample.body, sample.now, previous)
}

/// The request's URI under a base URL, where there may be such.
pub fn rebased(base: &str, uri: &Uri) -> Option<Uri> {
    BaseUrl::parse("base", base).ok()?.rebase(uri).ok()
}

/// Whether a URI leads to an origin; `None` if a person may not write the origin so.
pub fn leads_to(origin: &str, uri: &Uri) -> Option<bool> {
    Some(Origin::parse("origin", origin).ok()?.matches(uri))
}

/// A URL that secrets may be posted to.
pub fn endpoint(url: &str) -> Option<Uri> {
    parse_endpoint("url", url).ok()
}

/// Every wait that the forms of times find in a text.
pub fn waits(text: &str, now: SystemTime) -> impl Iterator<Item = Duration> {
    let point = times::point(text).map(|date| times::until(date, now));
    let number = times::decimal(text, times::SECOND);
    [times::go(text), times::reset(text, now), times::stated(text, now), point, number].into_iter().flatten()
}

/// How many bytes are kept of a body.
pub fn kept(body: &[u8]) -> usize {
    crate::providers::failures::kept(body)
}
