//! The middleware.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use ::reqwest::{Request, Response};
use http::Extensions;
use reqwest_middleware::{Error, Middleware, Next, Result};
use tower_layer::Layer;
use tower_service::Service;

use super::convert::{Address, answer_out, request_in};
use super::next::{Chain, NextService};
use crate::context::RequestContext;
use crate::error::BoxError;
use crate::marathon::MarathonLayer;
use crate::pool::Pool;

/// Runs the whole stack of a [`MarathonLayer`] as a middleware of a `reqwest_middleware::ClientWithMiddleware`.
///
/// The [module's page](super) has an example, and says what is kept and what else resends or redirects. Build the client with
/// [`redirect_policy`](super::redirect_policy).
#[derive(Debug, Clone)]
pub struct MarathonMiddleware {
    layer: MarathonLayer,
}

impl MarathonMiddleware {
    /// The stack of `layer`.
    #[must_use]
    pub fn new(layer: MarathonLayer) -> Self {
        Self { layer }
    }

    async fn run(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let (mut request, address) = request_in(request)?;
        if let Some(context) = RequestContext::of(extensions) {
            request.extensions_mut().insert(context.clone());
        }
        let lent = Lent::new(address, extensions, RequestContext::find(request.extensions()));
        let mut stack = self.layer.layer(NextService::new(next, &lent.chain));
        let result = match poll_fn(|cx| stack.poll_ready(cx)).await {
            Ok(()) => stack.call(request).await,
            Err(error) => Err(error),
        };
        if let Some(context) = result.as_ref().ok().and_then(|answer| RequestContext::of(answer.extensions())) {
            lent.chain.enter(context);
        }
        result.map(|answer| answer_out(answer, &lent.chain.address)).map_err(error_out)
    }
}

/// The extensions of the chain, while the attempts work on copies of them. They go back when it is dropped, also where the
/// caller has gone away.
struct Lent<'a> {
    extensions: &'a mut Extensions,
    chain: Chain,
    surrounding: Option<RequestContext>,
}

impl<'a> Lent<'a> {
    fn new(address: Address, extensions: &'a mut Extensions, surrounding: Option<RequestContext>) -> Self {
        let chain = Chain::new(address, std::mem::take(extensions));
        Self { extensions, chain, surrounding }
    }
}

impl Drop for Lent<'_> {
    /// Leaves a context for the middlewares above: the caller's own, which shows the latest call's attempts, else the call's.
    fn drop(&mut self) {
        let (extensions, context) = self.chain.take();
        *self.extensions = extensions;
        let context = self
            .surrounding
            .take()
            .filter(|context| !context.is_opened())
            .or(context)
            // Nothing was sent, and what an earlier call left must not pass for this one's.
            .unwrap_or_else(|| RequestContext::open(self.extensions));
        if !RequestContext::of(self.extensions).is_some_and(|there| there.is(&context)) {
            self.extensions.insert(context);
        }
    }
}

/// What comes from below is passed on as it was.
fn error_out(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<crate::error::Error>() {
            Ok(error) => Error::middleware(*error),
            Err(error) => Error::middleware(std::io::Error::other(error)),
        },
    }
}

/// What `async_trait` makes of the method, written out.
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
        Box::pin(self.run(request, extensions, next))
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
