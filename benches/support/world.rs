//! What every subject shares: the provider, the request, and a driver without a runtime.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

pub(crate) type Body = Full<Bytes>;

pub(crate) const ORIGIN: &str = "https://api.example.com";

/// A usual request body.
pub(crate) const SMALL: usize = 2 * 1024;

/// A body with a few pictures in it.
pub(crate) const LARGE: usize = 8 * 1024 * 1024;

/// Every token has this length, as those of the large providers do; the name stands at its end.
pub(crate) fn token(name: &str) -> String {
    format!("{:x<100}{name}", "oauth-access-token-")
}

/// Answers at once: 429 to the credential that it limits, 200 to all others.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    limited: Option<&'static str>,
}

impl Provider {
    pub(crate) fn generous() -> Self {
        Self { limited: None }
    }

    /// Limits the credential whose token ends with this name.
    pub(crate) fn limiting(name: &'static str) -> Self {
        Self { limited: Some(name) }
    }
}

impl Service<Request<Body>> for Provider {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    // A client would not be inlined into the layers above it either.
    #[inline(never)]
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_limited = |name: &str| {
            request.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes().ends_with(name.as_bytes()))
        };
        if !self.limited.is_some_and(is_limited) {
            let mut answer = Response::new(Full::new(Bytes::from_static(br#"{"id":"1","text":"hello"}"#)));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            return ready(Ok(answer));
        }
        let mut answer = Response::new(Full::new(Bytes::from_static(br#"{"error":{"type":"rate_limit_error"}}"#)));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
        ready(Ok(answer))
    }
}

/// A request as a proxy has it after parsing: its header values are slices of one shared buffer. It has no credential.
pub(crate) fn request(body_length: usize) -> Request<Body> {
    const HEADERS: [(&str, &str); 14] = [
        ("accept", "application/json"),
        ("accept-encoding", "gzip, br"),
        ("accept-language", "en"),
        ("cache-control", "no-store"),
        ("content-type", "application/json"),
        ("user-agent", "assistant/2.4 (linux; x86_64)"),
        ("x-client-name", "assistant"),
        ("x-client-version", "2.4.0"),
        ("x-client-runtime", "rust/1.95"),
        ("x-client-platform", "linux"),
        ("x-conversation", "2f1c9d5e-4b1a-4b7e-9a49-0d1f6a0e7c11"),
        ("x-request-id", "b8f3c2a0-77de-4c55-8f0e-5a6d1c9e2b34"),
        ("x-retry-count", "0"),
        ("x-trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let text: String = HEADERS.iter().map(|header| header.1).collect();
    let text = shared(text.into_bytes());
    let mut request = Request::new(Full::new(shared(vec![b'x'; body_length])));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("{ORIGIN}/v1/messages").parse().expect("a URI");
    let mut start = 0;
    for (name, value) in HEADERS {
        let slice = text.slice(start..start + value.len());
        start += value.len();
        let value = HeaderValue::from_maybe_shared(slice).expect("a header value");
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    request
}

/// Bytes that have been cloned once: the first clone allocates the reference count, the others do not.
pub(crate) fn shared(bytes: Vec<u8>) -> Bytes {
    let bytes = Bytes::from(bytes);
    drop(bytes.clone());
    bytes
}

/// The output of a future that does not wait for anything.
#[inline]
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}
