//! The subjects, each ready to send the same request over the same provider.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use oauth_marathon::verdict::Scope;
use oauth_marathon::{Credential, Marathon, MarathonLayer, Pool, Secret};
use tower::retry::{Policy, Retry};
use tower::{ServiceBuilder, service_fn};
use tower_http::set_header::SetRequestHeaderLayer;
use tower_layer::Layer;
use tower_service::Service;

use super::floor::{Pair, bearer, copy, send};
use super::world::{Body, ORIGIN, Provider, at_once, request, token};

/// What the provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// 200 at the first try.
    Ok,
    /// 429 for the first credential, then 200 for the second.
    FailOver,
}

impl Case {
    pub(crate) fn provider(self) -> Provider {
        match self {
            Self::Ok => Provider::generous(),
            Self::FailOver => Provider::limiting("first"),
        }
    }
}

/// A subject, with the request that it sends over and over.
pub(crate) struct Path<S> {
    template: Request<Body>,
    pub(crate) service: S,
    reset: Box<dyn Fn() + Send>,
}

impl<S> Path<S> {
    pub(crate) fn new(template: Request<Body>, service: S, reset: impl Fn() + Send + 'static) -> Self {
        Self { template, service, reset: Box::new(reset) }
    }

    /// Puts the first credential in front again.
    pub(crate) fn reset(&self) {
        (self.reset)();
    }

    /// Copies the template, sends it, and drops the answer.
    #[inline]
    pub(crate) fn send<B>(&mut self)
    where
        S: Service<Request<Body>, Response = Response<B>>,
    {
        let request = std::hint::black_box(&self.template).clone();
        let service = &mut self.service;
        let answer = at_once(async {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        });
        let status = answer.map(|answer| answer.status()).ok();
        assert_eq!(status, Some(StatusCode::OK));
    }

    /// The same after a few requests, with nothing left to be done for the first time.
    pub(crate) fn warm<B>(mut self) -> Box<dyn Subject>
    where
        S: Service<Request<Body>, Response = Response<B>> + 'static,
    {
        for _ in 0..4 {
            self.send();
            self.reset();
        }
        Box::new(self)
    }
}

/// A [`Path`] whose type does not matter.
pub(crate) trait Subject {
    fn send(&mut self);
    fn reset(&self);
}

impl<S, B> Subject for Path<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    fn send(&mut self) {
        self.send();
    }

    fn reset(&self) {
        self.reset();
    }
}

/// The inner service alone; to fail over it is called twice, each time with a copy of the template.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    provider: Provider,
    refused: Option<Request<Body>>,
}

impl Service<Request<Body>> for Bare {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        self.provider.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(refused) = &self.refused {
            let answer = at_once(self.provider.call(std::hint::black_box(refused).clone()));
            assert!(answer.is_ok_and(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS));
        }
        self.provider.call(request)
    }
}

pub(crate) fn bare(case: Case, body: usize) -> Path<Bare> {
    let refused = (case == Case::FailOver).then(|| {
        let mut refused = request(body);
        refused.headers_mut().insert(AUTHORIZATION, bearer("first"));
        refused
    });
    Path::new(request(body), Bare { provider: case.provider(), refused }, || ())
}

/// See [`super::floor`].
pub(crate) fn floor(
    case: Case,
    body: usize,
) -> Path<impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>> {
    let (pair, provider) = (Pair::new(), case.provider());
    let shared = pair.clone();
    let service = service_fn(move |request| send(shared.clone(), provider.clone(), request));
    Path::new(request(body), service, move || pair.reset())
}

/// tower's retry with a policy that moves to the other credential, above tower-http's header layer.
pub(crate) fn tower(
    case: Case,
    body: usize,
) -> Path<impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>> {
    let pair = Pair::new();
    let shared = pair.clone();
    let service = ServiceBuilder::new()
        .layer_fn(|inner| Retry::new(FailOver(pair.clone()), inner))
        .layer(SetRequestHeaderLayer::overriding(AUTHORIZATION, move |_: &Request<Body>| Some(shared.value())))
        .service(case.provider());
    Path::new(request(body), service, move || pair.reset())
}

#[derive(Debug, Clone)]
struct FailOver(Arc<Pair>);

impl Policy<Request<Body>, Response<Body>, Infallible> for FailOver {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, Infallible>,
    ) -> Option<Self::Future> {
        let answer = result.as_ref().ok().filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS)?;
        self.0.fail_over(answer);
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(copy(request))
    }
}

/// The whole stack of this crate.
pub(crate) fn marathon(case: Case, body: usize) -> Path<Marathon<Provider>> {
    let pool = two_keys();
    let service = MarathonLayer::new(pool.clone()).layer(case.provider());
    Path::new(request(body), service, move || reset(&pool))
}

/// The same with the context in the extensions of each request.
pub(crate) fn marathon_in_extensions(case: Case, body: usize) -> Path<Marathon<Provider>> {
    let pool = two_keys();
    let service = MarathonLayer::new(pool.clone()).context_in_extensions(true).layer(case.provider());
    Path::new(request(body), service, move || reset(&pool))
}

pub(crate) fn two_keys() -> Pool {
    Pool::builder("bench").origin(ORIGIN).credentials(keys()).build().expect("a pool")
}

fn keys() -> [Credential; 2] {
    ["first", "second"].map(|name| Credential::new(name, Secret::new(token(name))))
}

/// Both are ready, the first one in front.
pub(crate) fn reset(pool: &Pool) {
    pool.clear("first", Scope::Credential);
    pool.replace(keys().to_vec()).expect("the same credentials");
}
