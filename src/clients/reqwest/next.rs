//! The rest of a middleware chain, as a tower service.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use ::reqwest::{Request, Response, Url};
use http::{Extensions, Uri};
use reqwest_middleware::{Error, Next, Result};
use tower_service::Service;

use super::answer::{AnswerBody, answer_in, take_head};
use super::body::RequestBody;
use super::convert::{Address, request_out, tell_if_elsewhere};
use crate::context::RequestContext;
use crate::layers::classify::Asked;

/// The options of the middleware.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Whether the extensions of the chain get the context of every call.
    pub(super) context: bool,
    /// Whether a successful answer that is no stream stays aside, so that only its head goes up through the stack.
    pub(super) aside: bool,
}

/// What the attempts of one request share.
pub(super) struct Call {
    pub(super) address: Address,
    /// The extensions that the middlewares above have put in.
    above: Extensions,
    options: Options,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    url: Option<Url>,
    left: Left,
    context: Option<RequestContext>,
    aside: Option<Response>,
}

/// The extensions that the latest attempt left, if any has come to its end.
#[derive(Default)]
pub(super) enum Left {
    #[default]
    Nothing,
    /// In the caller's extensions, which the first attempt works on.
    InPlace,
    Extensions(Extensions),
}

impl Call {
    pub(super) fn new(address: Address, url: Url, above: Extensions, options: Options) -> Self {
        Self { address, above, options, latest: Mutex::new(Latest { url: Some(url), ..Latest::default() }) }
    }

    /// Notes the context of the call.
    pub(super) fn enter(&self, context: &RequestContext) {
        self.latest().context = Some(context.clone());
    }

    pub(super) fn take_aside(&self) -> Option<Response> {
        self.latest().aside.take()
    }

    /// The URL of the request, taken from where an attempt left it, else parsed again.
    pub(super) fn take_url(&self) -> Option<Url> {
        let url = self.latest().url.take();
        url.or_else(|| self.address.url())
    }

    /// The extensions that the attempts left, those that were there before, and the call's context.
    pub(super) fn take(&mut self) -> (Left, Extensions, Option<RequestContext>) {
        let Latest { left, context, .. } = std::mem::take(&mut *self.latest());
        (left, std::mem::take(&mut self.above), context)
    }

    /// Converts an answer for the way up the stack. A stream goes up as a whole, because an error in it moves the
    /// request on.
    fn answer(&self, mut answer: Response, asked: Asked) -> http::Response<AnswerBody> {
        let failed = answer.status().as_u16() >= 400;
        if failed && let Some(url) = self.address.url_of(answer.url()) {
            // Kept for the next attempt, which probably follows.
            self.latest().url = Some(url);
        }
        if self.options.aside && !failed && !asked.is_stream(answer.status(), answer.headers()) {
            let mut latest = self.latest();
            // There is room for one answer. A second successful one comes only if a classifier refused the first.
            if latest.aside.is_none() {
                let head = take_head(&mut answer);
                latest.aside = Some(answer);
                return head;
            }
        }
        answer_in(answer).map(AnswerBody::Here)
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the context of a request to the extensions of the chain. A context that is only the task's own is moved if
/// `always` is set.
fn move_context(
    request: &mut http::Request<RequestBody>,
    chain: &mut Extensions,
    always: bool,
) -> Option<RequestContext> {
    let Some(context) = RequestContext::of(request.extensions()).cloned() else {
        let context = RequestContext::current().filter(|_| always)?;
        chain.insert(context.clone());
        return Some(context);
    };
    if chain.is_empty() && request.extensions().len() == 1 {
        // Swapped, because a map that holds nothing else need not be made again.
        std::mem::swap(chain, request.extensions_mut());
    } else {
        request.extensions_mut().remove::<RequestContext>();
        chain.insert(context.clone());
    }
    Some(context)
}

/// The rest of the chain as a service. It only borrows, which the layers above allow: their futures are named and need
/// no `'static`.
#[derive(Clone)]
pub(super) struct NextService<'a> {
    next: Next<'a>,
    call: &'a Call,
    extensions: &'a Mutex<Option<&'a mut Extensions>>,
}

impl<'a> NextService<'a> {
    /// A service over the rest of the chain. The first attempt works on `extensions`, and each later one on a copy of
    /// the original.
    pub(super) fn new(next: Next<'a>, call: &'a Call, extensions: &'a Mutex<Option<&'a mut Extensions>>) -> Self {
        Self { next, call, extensions }
    }
}

impl<'a> Service<http::Request<RequestBody>> for NextService<'a> {
    type Response = http::Response<AnswerBody>;
    type Error = Error;
    type Future = Attempt<'a>;

    /// A chain has no notion of readiness.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<RequestBody>) -> Attempt<'a> {
        let Self { next, call, extensions } = self.clone();
        let asked = Asked::by(&request);
        let (url, moved) = match call.address.is_kept_by(&request) {
            true => (call.take_url(), None),
            false => (None, Some(request.uri().clone())),
        };
        let first = extensions.lock().unwrap_or_else(PoisonError::into_inner).take();
        let state = match first {
            Some(extensions) => {
                if let Some(context) = move_context(&mut request, extensions, call.options.context) {
                    call.enter(&context);
                }
                match request_out(request, url) {
                    Ok(request) => State::First(next.run(request, extensions)),
                    Err(error) => State::Refused(Some(error.into())),
                }
            }
            None => {
                let mut extensions = call.above.clone();
                if let Some(context) = move_context(&mut request, &mut extensions, call.options.context) {
                    call.enter(&context);
                }
                match request_out(request, url) {
                    Ok(request) => State::Later(Box::pin(run(next, request, call, extensions))),
                    Err(error) => State::Refused(Some(error.into())),
                }
            }
        };
        Attempt { state, call, moved, asked }
    }
}

async fn run(next: Next<'_>, request: Request, call: &Call, mut extensions: Extensions) -> Result<Response> {
    let result = next.run(request, &mut extensions).await;
    call.latest().left = Left::Extensions(extensions);
    result
}

/// One run of the rest of the chain.
pub(super) struct Attempt<'a> {
    state: State<'a>,
    call: &'a Call,
    /// Where the request went, if not to where the caller sent it.
    moved: Option<Uri>,
    asked: Asked,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

enum State<'a> {
    First(Running<'a>),
    Later(Running<'a>),
    /// The request's URI is not one that reqwest takes.
    Refused(Option<Error>),
}

impl Future for Attempt<'_> {
    type Output = Result<http::Response<AnswerBody>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let result = match &mut this.state {
            State::First(running) => {
                let result = ready!(running.as_mut().poll(cx));
                this.call.latest().left = Left::InPlace;
                result
            }
            State::Later(running) => ready!(running.as_mut().poll(cx)),
            State::Refused(error) => return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        };
        Poll::Ready(result.map(|answer| {
            tell_if_elsewhere(this.moved.as_ref().unwrap_or(&this.call.address.uri), answer.url());
            this.call.answer(answer, this.asked)
        }))
    }
}
