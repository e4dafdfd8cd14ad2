//! The innermost guard: no credential reaches another origin, whatever a layer between ours and the client does.

use std::task::{Context, Poll};

use http::Request;
use http::header::HeaderMap;
use tower_layer::Layer;
use tower_service::Service;

use super::inject::strip;
use crate::context::RequestContext;
use crate::pool::Pool;

/// Removes credentials from requests to origins that they must not be sent to.
///
/// It belongs below a layer that sends requests elsewhere, such as one that follows redirects, and directly above the
/// client. The request itself goes on. Every header that credentials of the pool are sent in is removed, and every value
/// that is marked sensitive.
///
/// The [context](RequestContext) tells it which credential a request carries. If it runs in another task than the layers
/// above, for example behind a `Buffer`, the context has to be
/// [in the extensions](crate::MarathonLayer::context_in_extensions); without it no credential goes to a base URL that only
/// one credential of the pool has.
///
/// ```
/// use oauth_marathon::layers::credential::OriginGuardLayer;
/// use oauth_marathon::{Credential, MarathonLayer, Pool, Secret};
/// # use http_body_util::Full;
/// # use bytes::Bytes;
/// use tower::{ServiceBuilder, service_fn};
/// use tower_http::follow_redirect::FollowRedirectLayer;
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("key", Secret::new("sk-1")).header("x-api-key"))
///     .build()?;
/// # let client = service_fn(async |_: http::Request<Full<Bytes>>| Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::new()))));
/// let client = ServiceBuilder::new()
///     .layer(MarathonLayer::new(pool.clone()))
///     .layer(FollowRedirectLayer::new())
///     .layer(OriginGuardLayer::new(pool))
///     .service(client);
/// # let _ = client;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct OriginGuardLayer {
    pool: Pool,
}

impl OriginGuardLayer {
    /// Guards the credentials of `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

impl<S> Layer<S> for OriginGuardLayer {
    type Service = OriginGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OriginGuard { inner, pool: self.pool.clone() }
    }
}

/// The service of [`OriginGuardLayer`].
#[derive(Debug, Clone)]
pub struct OriginGuard<S> {
    inner: S,
    pool: Pool,
}

made_by_layer!(OriginGuard, OriginGuardLayer::new(pool: Pool));

impl<S> OriginGuard<S> {
    inner_service!();
}

impl<S, B> Service<Request<B>> for OriginGuard<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // A redirect layer may have dropped the extensions on its way; the task still knows.
        let credential = RequestContext::find(request.extensions())
            .and_then(|context| context.call().last().and_then(|attempt| attempt.credential.clone()));
        if !self.pool.may_receive(credential.as_ref(), request.uri()) {
            strip(request.headers_mut(), &self.pool);
            remove_sensitive(request.headers_mut());
        }
        self.inner.call(request)
    }
}

fn remove_sensitive(headers: &mut HeaderMap) {
    let names: Vec<_> =
        headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone()).collect();
    for name in names {
        headers.remove(name);
    }
}
