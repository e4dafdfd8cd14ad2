//! The least that keeps a request running: put the credential in, keep a copy, read the status.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower_service::Service;

use super::world::{Body, Provider, shared, token};

/// Two credentials, without any rule but "the other one".
#[derive(Debug)]
pub(crate) struct Pair {
    values: [HeaderValue; 2],
    cooldowns: [AtomicU64; 2],
    active: AtomicUsize,
}

impl Pair {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            values: ["first", "second"].map(bearer),
            cooldowns: [AtomicU64::new(0), AtomicU64::new(0)],
            active: AtomicUsize::new(0),
        })
    }

    /// The active credential's header, ready to be sent.
    #[inline]
    pub(crate) fn value(&self) -> HeaderValue {
        self.values[self.active.load(Acquire)].clone()
    }

    /// Cools the active credential and goes on with the other one.
    #[inline]
    pub(crate) fn fail_over<B>(&self, answer: &Response<B>) {
        self.cool(answer.headers());
    }

    #[inline]
    pub(crate) fn cool(&self, headers: &HeaderMap) {
        let active = self.active.load(Acquire);
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        self.cooldowns[active].store(seconds.unwrap_or(30), Relaxed);
        self.active.store(1 - active, Release);
    }

    pub(crate) fn reset(&self) {
        self.active.store(0, Relaxed);
    }
}

/// A header value that is made once and cloned for each request.
pub(crate) fn bearer(name: &str) -> HeaderValue {
    let text = format!("Bearer {}", token(name));
    let mut value = HeaderValue::from_maybe_shared(shared(text.into_bytes())).expect("a header value");
    value.set_sensitive(true);
    value
}

/// One request by the floor's rules.
#[inline]
pub(crate) async fn send(
    pair: Arc<Pair>,
    mut provider: Provider,
    mut request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    request.headers_mut().insert(AUTHORIZATION, pair.value());
    let mut spare = copy(&request);
    let answer = provider.call(request).await?;
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        return Ok(answer);
    }
    pair.fail_over(&answer);
    drop(answer);
    spare.headers_mut().insert(AUTHORIZATION, pair.value());
    provider.call(spare).await
}

/// A copy of everything but the extensions.
#[inline]
pub(crate) fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
