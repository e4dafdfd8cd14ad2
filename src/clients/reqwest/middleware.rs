//! The stack as a middleware of reqwest-middleware.

use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::Mutex;

use ::reqwest::{Request, Response};
use http::Extensions;
use reqwest_middleware::{Error, Middleware, Next, Result};
use tower_layer::Layer;
use tower_service::Service;

use super::answer::answer_out;
use super::body::RequestBody;
use super::convert::request_in;
use super::next::{Call, Left, NextService, Options};
use crate::context::RequestContext;
use crate::error::BoxError;
use crate::layers::marathon::MarathonLayer;
use crate::pool::Pool;

/// Runs the whole stack of a [`MarathonLayer`] as a middleware of a `reqwest_middleware::ClientWithMiddleware`.
///
/// The [module's page](super) has an example, and says what is kept and what else resends or redirects. Build the client with
/// [`redirect_policy`](super::redirect_policy).
#[derive(Debug, Clone)]
pub struct MarathonMiddleware {
    layer: MarathonLayer,
    options: Options,
}

impl MarathonMiddleware {
    /// The stack of `layer`.
    #[must_use]
    pub fn new(layer: MarathonLayer) -> Self {
        Self { layer, options: Options { context: true, aside: false } }
    }

    /// Whether the extensions of the chain get the [`RequestContext`] of every call, as they do by default. Middlewares
    /// below find it in the running task too. If no middleware above needs it either, `false` saves calls without other
    /// extensions the map for it, which is three allocations. If the caller brings a context, it shows the attempts in
    /// both cases.
    #[must_use]
    pub fn context_in_extensions(mut self, always: bool) -> Self {
        self.options.context = always;
        self
    }

    /// Whether a credential counts as in use until the body of its answer has ended, as it does by default.
    ///
    /// With `false` it counts until the head of a successful answer has come, and the answer is handed on unwrapped,
    /// which saves six allocations. Then [`in_flight`](crate::pool::CredentialSnapshot::in_flight) counts no body that
    /// is being read, a body that breaks off is no failure of its credential, and `streamIdleTimeoutMs` does not bound
    /// its silence: set `read_timeout` of the reqwest client. An answer that
    /// [streams](crate::layers::classify::ClassifyLayer#streams) is still held until its first content, because an
    /// error before that moves the request to the next credential.
    #[must_use]
    pub fn hold_until_body_ends(mut self, hold: bool) -> Self {
        self.options.aside = !hold;
        self
    }

    fn begin<'a>(
        &self,
        request: Request,
        extensions: &'a mut Extensions,
    ) -> std::result::Result<(http::Request<RequestBody>, Lent<'a>), ::reqwest::Error> {
        let (mut request, address, url) = request_in(request)?;
        if let Some(context) = RequestContext::of(extensions) {
            request.extensions_mut().insert(context.clone());
        }
        let surrounding = RequestContext::find(request.extensions());
        let call = Call::new(address, url, extensions.clone(), self.options);
        Ok((request, Lent { extensions, call, surrounding }))
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would keep its arguments twice, and they are large")]
    fn run<'a>(
        &'a self,
        request: http::Request<RequestBody>,
        mut lent: Lent<'a>,
        next: Next<'a>,
    ) -> impl Future<Output = Result<Response>> + Send + 'a {
        async move {
            let Lent { extensions, call, .. } = &mut lent;
            let (extensions, call) = (Mutex::new(Some(&mut **extensions)), &*call);
            // The stack is dropped before the answer is awaited.
            let answer = {
                let mut stack = self.layer.layer(NextService::new(next, call, &extensions));
                let ready = poll_fn(|cx| Service::<http::Request<RequestBody>>::poll_ready(&mut stack, cx)).await;
                ready.map(|()| stack.call(request))
            };
            let answer = answer.map_err(error_out)?.await.map_err(error_out)?;
            if let Some(context) = RequestContext::of(answer.extensions()) {
                call.enter(context);
            }
            Ok(answer_out(answer, || call.take_aside(), || call.take_url()))
        }
    }
}

/// The extensions of the chain, lent to the first attempt. Dropping this guard puts them right, even if the caller has
/// gone away.
struct Lent<'a> {
    extensions: &'a mut Extensions,
    call: Call,
    surrounding: Option<RequestContext>,
}

impl Drop for Lent<'_> {
    /// Restores the extensions: those of the latest attempt, or those before it. Adds a context for the middlewares
    /// above: the caller's own, which shows the latest call's attempts, else the call's.
    fn drop(&mut self) {
        let (left, above, context) = self.call.take();
        match left {
            Left::InPlace => {}
            Left::Extensions(extensions) => *self.extensions = extensions,
            Left::Nothing => *self.extensions = above,
        }
        let there = RequestContext::of(self.extensions);
        let context = self
            .surrounding
            .take()
            .filter(|context| !context.is_opened())
            .or(context)
            // Nothing was sent, and the context of an earlier call must not be taken for that of this one.
            .or_else(|| there.map(|_| RequestContext::open(self.extensions)));
        if let Some(context) = context
            && !there.is_some_and(|there| there.is(&context))
        {
            self.extensions.insert(context);
        }
    }
}

/// Unwraps an error of the layers below, so that the caller gets it unchanged.
fn error_out(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<crate::error::Error>() {
            Ok(error) => Error::middleware(*error),
            Err(error) => Error::middleware(std::io::Error::other(error)),
        },
    }
}

/// The code that `async_trait` would generate, written out.
impl Middleware for MarathonMiddleware {
    fn handle<'this, 'extensions, 'next, 'run>(
        &'this self,
        request: Request,
        extensions: &'extensions mut Extensions,
        next: Next<'next>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'run>>
    where
        'this: 'run,
        'extensions: 'run,
        'next: 'run,
        Self: 'run,
    {
        match self.begin(request, extensions) {
            Ok((request, lent)) => Box::pin(self.run(request, lent, next)),
            Err(error) => Box::pin(ready(Err(error.into()))),
        }
    }
}

impl From<MarathonLayer> for MarathonMiddleware {
    fn from(layer: MarathonLayer) -> Self {
        Self::new(layer)
    }
}

impl From<Pool> for MarathonMiddleware {
    fn from(pool: Pool) -> Self {
        Self::new(MarathonLayer::new(pool))
    }
}
