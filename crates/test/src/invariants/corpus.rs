//! Answers and errors as providers, gateways and networks send them, and some malformed ones.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// A made-up answer for a classifier.
pub(super) struct Sample {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) is_complete: bool,
}

const STATUSES: [u16; 20] =
    [101, 200, 204, 206, 302, 304, 400, 401, 402, 403, 404, 408, 409, 413, 418, 429, 500, 503, 529, 999];

const WAITS: [&str; 16] = [
    "0",
    "7",
    "-1",
    "1.5",
    "1e300",
    "inf",
    "NaN",
    "",
    "18446744073709551615",
    "99999999999999999999999999",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "2026-01-01T00:00:00Z",
    "6m0s",
    "1, 2",
    "\t 5 ",
];

const WAIT_HEADERS: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "anthropic-ratelimit-requests-reset",
    "x-codex-primary-reset-after-seconds",
    "date",
    "x-should-retry",
];

const BODIES: [&str; 14] = [
    "",
    "null",
    "[]",
    "{}",
    "{\"error\":null}",
    "{\"error\":{}}",
    "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Number of requests\"}}",
    "{\"error\":{\"code\":\"insufficient_quota\",\"type\":\"insufficient_quota\",\"resets_in_seconds\":-5}}",
    "{\"error\":{\"type\":\"usage_limit_reached\",\"resets_at\":99999999999999999999}}",
    "{\"error\":\"invalid_grant\",\"error_description\":\"\\ud800\"}",
    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"-3.4e9s\"}]}}",
    "<!doctype html><title>502 Bad Gateway</title>",
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    "\u{feff}{\"error\":{\"message\":\"\u{1f512}\"}}",
];

fn choose<T: Copy>(rng: &mut Rng, of: &[T], otherwise: T) -> T {
    rng.choice(of).copied().unwrap_or(otherwise)
}

pub(super) fn sample(rng: &mut Rng) -> Sample {
    let status = if rng.bool() { choose(rng, &STATUSES, 429) } else { rng.u16(100..=999) };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut headers = HeaderMap::new();
    for _ in 0..rng.usize(0..4) {
        let name = HeaderName::from_static(choose(rng, &WAIT_HEADERS, "retry-after"));
        let value = match rng.u8(0..4) {
            0 => HeaderValue::from_bytes(&bytes(rng, 24)).ok(),
            _ => HeaderValue::from_str(choose(rng, &WAITS, "7")).ok(),
        };
        headers.append(name, value.unwrap_or_else(|| HeaderValue::from_static("7")));
    }
    // The body of an answer below 400 is never read.
    let body = (status.as_u16() >= 400).then(|| match rng.u8(0..5) {
        0 => bytes(rng, 64),
        1 => "[".repeat(rng.usize(1..20_000)).into_bytes(),
        2 => {
            let mut whole = choose(rng, &BODIES, "{}").as_bytes().to_vec();
            whole.truncate(rng.usize(0..=whole.len()));
            whole
        }
        _ => choose(rng, &BODIES, "{}").as_bytes().to_vec(),
    });
    let is_complete = body.is_some() && rng.bool();
    Sample { status, headers, body, is_complete }
}

fn bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
    (0..rng.usize(0..most)).map(|_| rng.u8(..)).collect()
}

pub(super) fn error(rng: &mut Rng) -> Box<dyn StdError + Send + Sync> {
    const KINDS: [io::ErrorKind; 7] = [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::TimedOut,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::InvalidData,
        io::ErrorKind::Other,
    ];
    match rng.u8(0..4) {
        0 => Box::new(Unknown),
        1 => Box::new(fmt::Error),
        2 => Box::new(io::Error::new(choose(rng, &KINDS, io::ErrorKind::Other), Unknown)),
        _ => Box::new(io::Error::from(choose(rng, &KINDS, io::ErrorKind::Other))),
    }
}

#[derive(Debug)]
struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error of an unknown client")
    }
}

impl StdError for Unknown {}
