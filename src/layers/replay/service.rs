//! The service of [`ReplayLayer`](super::ReplayLayer).

use std::task::{Context, Poll};

use http::Request;
use http_body::Body;
use tower_service::Service;

use super::ReplayBody;

/// Wraps the body of each request in a [`ReplayBody`]; responses, errors and futures are those of `S`.
#[derive(Debug, Clone)]
pub struct Replay<S> {
    inner: S,
    cap_bytes: usize,
}

impl<S> Replay<S> {
    /// Wraps `inner`, keeping at most `cap_bytes` bytes of data of each request.
    pub fn new(inner: S, cap_bytes: usize) -> Self {
        Self { inner, cap_bytes }
    }

    inner_service!();
}

impl<S, B> Service<Request<B>> for Replay<S>
where
    S: Service<Request<ReplayBody<B>>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let cap_bytes = self.cap_bytes;
        self.inner.call(request.map(|body| ReplayBody::new(body, cap_bytes)))
    }
}
