//! The same subjects as middlewares of reqwest-middleware, each above a middleware that answers without a network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{Extensions, HeaderValue, Response, StatusCode};
use oauth_marathon::MarathonLayer;
use oauth_marathon::clients::reqwest::MarathonMiddleware;
use reqwest::{Request, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{Jitter, RetryTransientMiddleware, Retryable, RetryableStrategy};
use tokio::runtime::Runtime;

use super::floor::{Pair, bearer};
use super::paths::{self, Case, Subject};
use super::world;

/// A client, with the request that it sends over and over.
struct Chain {
    template: Request,
    /// Sent before it, by the subject that does not move to the next credential.
    refused: Option<Request>,
    client: ClientWithMiddleware,
    // reqwest-retry sleeps also where it need not wait; under a paused clock that takes no time.
    runtime: Runtime,
    reset: Box<dyn Fn() + Send>,
}

impl Chain {
    fn new(case: Case, build: impl FnOnce(ClientBuilder) -> ClientBuilder, reset: impl Fn() + Send + 'static) -> Self {
        let client = build(ClientBuilder::new(reqwest::Client::new())).with(Provider::of(case)).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        Self { template: template(), refused: None, client, runtime, reset: Box::new(reset) }
    }

    /// After a few requests, with nothing left to be done for the first time.
    fn warm(mut self) -> Box<dyn Subject> {
        for _ in 0..4 {
            self.send();
            self.reset();
        }
        Box::new(self)
    }

    fn status_of(&self, template: &Request) -> StatusCode {
        let request = std::hint::black_box(template).try_clone().expect("a body of bytes");
        self.runtime.block_on(self.client.execute(request)).expect("an answer").status()
    }
}

impl Subject for Chain {
    fn send(&mut self) {
        if let Some(refused) = &self.refused {
            assert_eq!(self.status_of(refused), StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(self.status_of(&self.template), StatusCode::OK);
    }

    fn reset(&self) {
        (self.reset)();
    }
}

fn template() -> Request {
    Request::try_from(world::request(world::SMALL).map(|_| world::shared(vec![b'x'; world::SMALL]))).expect("a URL")
}

/// Nothing between the client and the answer.
pub(crate) fn bare(case: Case) -> Box<dyn Subject> {
    let mut chain = Chain::new(case, |client| client, || ());
    if case == Case::FailOver {
        let mut refused = template();
        refused.headers_mut().insert(AUTHORIZATION, bearer("first"));
        chain.refused = Some(refused);
    }
    chain.warm()
}

pub(crate) fn floor(case: Case) -> Box<dyn Subject> {
    let pair = Pair::new();
    let shared = pair.clone();
    Chain::new(case, |client| client.with(Floor(shared)), move || pair.reset()).warm()
}

/// reqwest-retry, which has no credentials of its own, above a middleware that puts the active one in.
pub(crate) fn retry(case: Case) -> Box<dyn Subject> {
    let pair = Pair::new();
    let policy = ExponentialBackoff::builder().retry_bounds(Duration::ZERO, Duration::ZERO).jitter(Jitter::None);
    let policy = policy.build_with_max_retries(1);
    let retry = RetryTransientMiddleware::new_with_policy_and_strategy(policy, FailOver(pair.clone()));
    let inject = Inject(pair.clone());
    Chain::new(case, |client| client.with(retry).with(inject), move || pair.reset()).warm()
}

/// The whole stack of this crate.
pub(crate) fn marathon(case: Case) -> Box<dyn Subject> {
    over(case, MarathonMiddleware::new)
}

/// The same, where a credential is in use until the head of an answer alone.
pub(crate) fn marathon_to_head(case: Case) -> Box<dyn Subject> {
    over(case, |layer| MarathonMiddleware::new(layer).hold_until_body_ends(false))
}

/// The same, without the context in the extensions too.
pub(crate) fn marathon_lean(case: Case) -> Box<dyn Subject> {
    let lean = |layer| MarathonMiddleware::new(layer).context_in_extensions(false).hold_until_body_ends(false);
    over(case, lean)
}

fn over(case: Case, make: impl FnOnce(MarathonLayer) -> MarathonMiddleware) -> Box<dyn Subject> {
    let pool = paths::two_keys();
    let middleware = make(MarathonLayer::new(pool.clone()));
    Chain::new(case, |client| client.with(middleware), move || paths::reset(&pool)).warm()
}

/// Answers at once, as [`world::Provider`] does.
struct Provider {
    limited: Option<&'static str>,
}

impl Provider {
    fn of(case: Case) -> Self {
        Self { limited: (case == Case::FailOver).then_some("first") }
    }

    fn answer(&self, request: &Request) -> reqwest::Response {
        let value = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let limited = self.limited.is_some_and(|name| value.is_some_and(|value| value.ends_with(name.as_bytes())));
        let (status, name, value, body): (_, _, _, &[u8]) = if limited {
            (StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER, "30", br#"{"error":{"type":"rate_limit_error"}}"#)
        } else {
            (StatusCode::OK, CONTENT_TYPE, "application/json", br#"{"id":"1","text":"hello"}"#)
        };
        let answer = Response::builder().status(status).header(name, HeaderValue::from_static(value));
        // Every answer that reqwest receives has a URL, and extensions.
        let answer = answer.url(request.url().clone()).body(Bytes::from_static(body));
        answer.expect("well-formed").into()
    }
}

#[async_trait::async_trait]
impl Middleware for Provider {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> Result<reqwest::Response> {
        Ok(self.answer(&request))
    }
}

/// By the rules of [`super::floor`].
struct Floor(Arc<Pair>);

#[async_trait::async_trait]
impl Middleware for Floor {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        request.headers_mut().insert(AUTHORIZATION, self.0.value());
        let mut spare = request.try_clone().expect("a body of bytes");
        let answer = next.clone().run(request, extensions).await?;
        if answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return Ok(answer);
        }
        self.0.cool(answer.headers());
        drop(answer);
        spare.headers_mut().insert(AUTHORIZATION, self.0.value());
        next.run(spare, extensions).await
    }
}

/// Puts the active credential in.
struct Inject(Arc<Pair>);

#[async_trait::async_trait]
impl Middleware for Inject {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        request.headers_mut().insert(AUTHORIZATION, self.0.value());
        next.run(request, extensions).await
    }
}

struct FailOver(Arc<Pair>);

impl RetryableStrategy for FailOver {
    fn handle(&self, result: &Result<reqwest::Response>) -> Option<Retryable> {
        let answer = result.as_ref().ok().filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS)?;
        self.0.cool(answer.headers());
        Some(Retryable::Transient)
    }
}
