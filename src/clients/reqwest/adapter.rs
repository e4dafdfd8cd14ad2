//! A plain reqwest client as a service of the `http` crate's requests.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::reqwest::{Body, Request, Response};
use http::Uri;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::answer::answer_in;
use super::body::RequestBody;
use super::convert::tell_if_elsewhere;

/// Puts [`ReqwestService`] over a reqwest client, or over anything that takes its requests.
///
/// ```
/// use oauth_marathon::clients::reqwest::{ReqwestLayer, redirect_policy};
/// use oauth_marathon::{Credential, MarathonLayer, Pool, Secret};
/// use tower::ServiceBuilder;
///
/// # fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("key", Secret::new("sk-1")).header("x-api-key"))
///     .build()?;
/// let client = reqwest::Client::builder().redirect(redirect_policy(&pool)).build()?;
/// let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).layer(ReqwestLayer::new()).service(client);
/// # let _ = client;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ReqwestLayer(());

impl ReqwestLayer {
    /// A layer without settings.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for ReqwestLayer {
    type Service = ReqwestService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReqwestService::new(inner)
    }
}

/// A service of `http::Request`s over a service of reqwest's requests, such as a `reqwest::Client` or a
/// `reqwest_middleware::ClientWithMiddleware`; ready when that is.
///
/// Extensions are passed on in both directions, so a timeout of a request stays with it. The answer keeps its URL in
/// its extensions, where `reqwest::Response::from` finds it, also after a [`MarathonLayer`](crate::MarathonLayer)
/// above.
#[derive(Debug, Clone)]
pub struct ReqwestService<S> {
    inner: S,
}

impl<S> ReqwestService<S> {
    /// A service over `inner`.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without this one.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<http::Request<B>> for ReqwestService<S>
where
    S: Service<Request, Response = Response>,
    S::Error: From<::reqwest::Error>,
    B: Into<RequestBody>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let sent = request.uri().clone();
        let state = match Request::try_from(request.map(Into::into)) {
            Ok(request) => State::Calling { answer: self.inner.call(request), sent },
            Err(error) => State::Refused { error: Some(error.into()) },
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of [`ReqwestService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, E> {
        #[pin]
        state: State<F, E>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, E> {
        Calling {
            #[pin]
            answer: F,
            sent: Uri,
        },
        /// The request's URI is not one that reqwest takes.
        Refused {
            error: Option<E>,
        },
    }
}

impl<F, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<http::Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { answer, sent } => Poll::Ready(ready!(answer.poll(cx)).map(|answer| {
                tell_if_elsewhere(sent, answer.url());
                answer_in(answer)
            })),
            StateProj::Refused { error } => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

impl<F, E> fmt::Debug for ResponseFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reqwest::ResponseFuture")
    }
}
