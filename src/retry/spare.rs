//! The copy of a request that later attempts start from.

use http::header::HeaderName;
use http::{Extensions, Method, Request};

use crate::context::RequestContext;
use crate::replay::ReplayableBody;

/// A whole request, untouched by any attempt.
#[derive(Debug)]
pub(crate) struct Spare<B> {
    request: Request<B>,
    /// Whether the context goes with each attempt.
    with_context: bool,
}

impl<B: ReplayableBody> Spare<B> {
    /// Keeps the caller's own request. What is sent is a copy, from the first attempt on: headers are added to it, which is
    /// cheaper to what was allocated last.
    #[inline]
    pub(crate) fn keep(request: Request<B>, with_context: bool) -> Self {
        Self { request, with_context }
    }

    /// The request as the caller made it.
    #[inline]
    pub(crate) fn request(&self) -> &Request<B> {
        &self.request
    }

    /// A request for one more attempt, if its body can still be sent again.
    pub(crate) fn take(&self, context: &RequestContext) -> Option<Request<B>> {
        let body = self.request.body().try_clone()?;
        let mut request = copy(&self.request, body, self.request.extensions().clone());
        if self.with_context {
            request.extensions_mut().insert(context.clone());
        }
        Some(request)
    }

    /// Whether it can be sent.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(self.request.body())
    }
}

/// Whether a body can be sent from its start. If it failed by itself, nobody waits for an answer.
pub(crate) fn is_whole(body: &impl ReplayableBody) -> bool {
    !body.source_failed() && body.try_clone().is_some()
}

/// Whether acting twice on the request does no harm (RFC 9110 section 9.2.2), or a key prevents it.
pub(crate) fn is_idempotent<B>(request: &Request<B>) -> bool {
    const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
    let method = request.method();
    method.is_idempotent() && method != Method::CONNECT || request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// The same head with another body and other extensions.
pub(crate) fn copy<B>(request: &Request<B>, body: B, extensions: Extensions) -> Request<B> {
    let mut copy = Request::new(body);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    *copy.extensions_mut() = extensions;
    copy
}

/// The copy to send first, and whether the context is in it; if the body can be sent again.
#[inline]
pub(crate) fn first<B: ReplayableBody>(request: &mut Request<B>) -> Option<(Request<B>, bool)> {
    let body = request.body().try_clone()?;
    let extensions = std::mem::take(request.extensions_mut());
    let with_context = RequestContext::of(&extensions).is_some();
    *request.extensions_mut() = own_extensions(&extensions, with_context);
    Some((copy(request, body, extensions), with_context))
}

/// The extensions but for our own context, which is added again to each attempt: most requests have no others, and an
/// empty map costs nothing.
fn own_extensions(extensions: &Extensions, with_context: bool) -> Extensions {
    if extensions.len() == usize::from(with_context) { Extensions::new() } else { extensions.clone() }
}
