use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{Method, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::attempt::OpenAttempt;
use super::body::LeaseBody;
use super::inject::inject;
use super::wait::Wait;
use crate::context::RequestContext;
use crate::context::ending::StreamNews;
use crate::error::BoxError;
use crate::pool::{Acquired, Lease};

pin_project! {
    /// The future of [`CredentialService`](super::CredentialService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, RB>
    where
        S: Service<Request<B>>,
        RB: Body,
    {
        #[pin]
        state: State<S, B, RB, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, RB, F>
    where
        RB: Body,
    {
        /// Boxed, because few requests wait and the others should not carry the space for it.
        Waiting {
            waiting: Option<Box<Waiting<S, B>>>,
        },
        Calling {
            #[pin]
            answer: F,
            attempt: Option<OpenAttempt>,
            without_body: bool,
        },
        Done {
            result: Option<Box<Result<Response<LeaseBody<RB>>, BoxError>>>,
        },
    }
}

/// A request that waits for a new token, and then for the service.
pub(super) struct Waiting<S, B> {
    pub(super) service: S,
    pub(super) request: Request<B>,
    pub(super) wait: Wait,
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<B>>,
    RB: Body,
{
    pub(super) fn waiting(waiting: Waiting<S, B>) -> Self {
        Self { state: State::Waiting { waiting: Some(Box::new(waiting)) } }
    }

    pub(super) fn calling(answer: S::Future, attempt: Option<OpenAttempt>, without_body: bool) -> Self {
        Self { state: State::Calling { answer, attempt, without_body } }
    }

    /// Sends a request with the credential of a lease.
    pub(super) fn send(service: &mut S, mut request: Request<B>, context: RequestContext, lease: Lease) -> Self {
        if let Err(error) = inject(&mut request, lease.pool(), lease.access()) {
            return Self::done(Err(error.into()));
        }
        let without_body = *request.method() == Method::HEAD;
        let attempt = OpenAttempt::begin(context, lease);
        Self { state: State::Calling { answer: service.call(request), attempt: Some(attempt), without_body } }
    }

    pub(super) fn done(result: Result<Response<LeaseBody<RB>>, BoxError>) -> Self {
        Self { state: State::Done { result: Some(Box::new(result)) } }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    RB: Body,
    RB::Data: Buf,
{
    type Output = Result<Response<LeaseBody<RB>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Waiting { waiting } => {
                    let Some(parked) = waiting.as_deref_mut() else { return Poll::Pending };
                    let ready = ready!(parked.poll_ready(cx));
                    let Some(parked) = waiting.take() else { return Poll::Pending };
                    if let Err(error) = ready {
                        return Poll::Ready(Err(error));
                    }
                    let next = parked.go_on();
                    state.set(next.state);
                }
                StateProj::Calling { answer, attempt, without_body } => {
                    let result = ready!(answer.poll(cx));
                    return Poll::Ready(match result {
                        Ok(mut response) => {
                            let news: Option<StreamNews> = response.extensions_mut().remove();
                            let limits = news.as_ref().map(StreamNews::take_limits).unwrap_or_default();
                            let held = attempt.take().and_then(|attempt| {
                                let context = attempt.context().clone();
                                Some((attempt.answered(&response, &limits)?, context))
                            });
                            Ok(LeaseBody::attach(response, held, news, *without_body))
                        }
                        Err(error) => {
                            if let Some(attempt) = attempt.take() {
                                attempt.failed();
                            }
                            Err(error.into())
                        }
                    });
                }
                StateProj::Done { result } => {
                    return result.take().map_or(Poll::Pending, |result| Poll::Ready(*result));
                }
            }
        }
    }
}

impl<S, B> Waiting<S, B> {
    /// Ready once the refresh is over and the service can be called. An error if the deadline passes before.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>
    where
        S: Service<Request<B>>,
        S::Error: Into<BoxError>,
    {
        if self.wait.poll_refresh(cx).is_ready()
            && let Poll::Ready(ready) = self.service.poll_ready(cx)
        {
            return Poll::Ready(ready.map_err(Into::into));
        }
        self.wait.poll_deadline(cx).map(|error| Err(error.into()))
    }

    /// Acquires again after a refresh: the same credential, which now has a new token, or another one.
    fn go_on<RB>(mut self: Box<Self>) -> ResponseFuture<S, B, RB>
    where
        S: Service<Request<B>, Response = Response<RB>> + Clone,
        S::Error: Into<BoxError>,
        RB: Body,
    {
        match self.wait.go_on() {
            Ok(Acquired::Lease(lease)) => {
                let Self { mut service, request, wait } = *self;
                ResponseFuture::send(&mut service, request, wait.end(), lease)
            }
            Ok(Acquired::Refreshing { awaited, done }) => {
                // As in `call`: a request that waits keeps no place in the service below.
                self.service = self.service.clone();
                self.wait.again(awaited, done);
                ResponseFuture { state: State::Waiting { waiting: Some(self) } }
            }
            Ok(Acquired::None(why)) => ResponseFuture::done(self.wait.refuse_or_answer(why)),
            Err(error) => ResponseFuture::done(Err(error.into())),
        }
    }
}

impl<S, B, RB> fmt::Debug for ResponseFuture<S, B, RB>
where
    S: Service<Request<B>>,
    RB: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("credential::ResponseFuture")
    }
}
