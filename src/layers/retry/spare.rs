//! The copy of a request that later attempts are made from.

use std::sync::Arc;

use http::header::HeaderName;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, Version};

use crate::context::RequestContext;
use crate::layers::replayable::ReplayableBody;
use crate::providers::model::Models;

/// A whole request, untouched by any attempt.
///
/// Its header fields stand in a list: that takes one small allocation, where a copy of the map would take two large ones,
/// and few requests are ever made from it.
#[derive(Debug)]
pub(crate) struct Spare<B> {
    method: Method,
    uri: Uri,
    version: Version,
    fields: Vec<(HeaderName, HeaderValue)>,
    extensions: Extensions,
    body: B,
    /// Whether the context goes with each attempt.
    with_context: bool,
}

impl<B: ReplayableBody> Spare<B> {
    /// Copies what another attempt needs. `None` if the body can be sent only once.
    #[inline]
    pub(crate) fn of(request: &Request<B>) -> Option<Self> {
        let body = request.body().try_clone()?;
        let with_context = RequestContext::of(request.extensions()).is_some();
        let mut fields = Vec::with_capacity(request.headers().len());
        fields.extend(request.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            fields,
            extensions: own_extensions(request.extensions(), with_context),
            body,
            with_context,
        })
    }

    /// A request for one more attempt, if its body can still be sent again.
    pub(crate) fn take(&self, context: &RequestContext) -> Option<Request<B>> {
        let mut request = Request::new(self.body.try_clone()?);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers();
        *request.extensions_mut() = self.extensions.clone();
        if self.with_context {
            request.extensions_mut().insert(context.clone());
        }
        Some(request)
    }

    /// The model that the request asks for.
    #[cold]
    pub(crate) fn model(&self, models: &Models) -> Option<Arc<str>> {
        model_of(models, &self.uri, &self.headers(), &self.body)
    }

    /// Whether it can be sent.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(&self.body)
    }

    /// The header fields, with room for a credential.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::try_with_capacity(self.fields.len() + 2).unwrap_or_default();
        for (name, value) in &self.fields {
            // These fields come from a map, so they fit into one.
            let _ = headers.try_append(name, value.clone());
        }
        headers
    }
}

/// The model that a request asks for, as far as its body is in memory.
#[cold]
pub(crate) fn model_of(
    models: &Models,
    uri: &Uri,
    headers: &HeaderMap,
    body: &impl ReplayableBody,
) -> Option<Arc<str>> {
    let found = body.peek(|body: &[u8]| models.find(uri, headers, Some(body)));
    found.unwrap_or_else(|| models.find(uri, headers, None))
}

/// Whether a body can be sent from its start. If the caller's own body failed, no caller waits for an answer.
pub(crate) fn is_whole(body: &impl ReplayableBody) -> bool {
    !body.source_failed() && body.try_clone().is_some()
}

/// Whether the request may safely be processed twice (RFC 9110 section 9.2.2), or a key prevents that.
pub(crate) fn is_idempotent<B>(request: &Request<B>) -> bool {
    const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
    let method = request.method();
    method.is_idempotent() && method != Method::CONNECT || request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// The extensions without our own context, which is added again to each attempt. Most requests have no others, and an empty
/// map costs nothing.
fn own_extensions(extensions: &Extensions, with_context: bool) -> Extensions {
    if extensions.len() == usize::from(with_context) { Extensions::new() } else { extensions.clone() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full};

    use super::*;
    use crate::layers::replay::ReplayBody;
    use crate::providers::model::ModelRequest;

    fn found<B: ReplayableBody>(models: &Models, body: B) -> Option<String> {
        let request = Request::post("https://api.example.com/v1/chat").body(body).unwrap();
        model_of(models, request.uri(), request.headers(), request.body()).map(|name| name.to_string())
    }

    fn full(text: &'static str) -> Full<Bytes> {
        Full::from(text)
    }

    #[test]
    fn a_body_that_is_not_in_memory_is_not_read() {
        let length = |request: &ModelRequest<'_>| request.body().map(|body| format!("{} bytes", body.len()));
        let models = Models::new(Some(Box::new(length)));
        assert_eq!(found(&models, Empty::<Bytes>::new()), None);
        assert_eq!(found(&models, full("four")).as_deref(), Some("4 bytes"));
        assert_eq!(found(&models, ReplayBody::new(full("four"), 100)), None);
    }

    #[tokio::test]
    async fn what_a_body_has_recorded_is_read_after_it_was_sent() {
        let first = ReplayBody::new(full(r#"{"model":"m"}"#), 100);
        let spare = first.try_clone().unwrap();
        first.collect().await.unwrap();
        assert_eq!(found(&Models::new(None), spare).as_deref(), Some("m"));
    }
}
