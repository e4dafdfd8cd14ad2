//! The model that a request asks for. A limit of one model is kept under this name.
//!
//! The name is read only where it counts: after a failure of [`Scope::Model`](crate::verdict::Scope::Model), and for
//! each request while a limit of one model is in force. The first of these counts: the name that a
//! [`RequestContext`](crate::RequestContext::with_model) states, the name from a [`ModelSource`] of yours, the path,
//! the field `model` of a JSON body.
//!
//! The body is read by the layer that keeps a copy of it to be sent again,
//! [`RetryLayer`](crate::layers::retry::RetryLayer::models): before the first attempt only where it is in memory, as
//! [`Full`](http_body_util::Full) is, and after a failure also what a [`ReplayBody`](crate::layers::replay::ReplayBody) has recorded.
//! Requests whose model is unknown share one cooldown, apart from the requests whose model is known.
//!
//! The room reads requests and changes none. It is not one function over the body, because reading a body costs time,
//! and only few requests need the name.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::{HeaderMap, Uri};

use crate::sync::atomic::AtomicBool;
use crate::sync::shielded;

mod standard;

pub use self::standard::StandardModelSource;

/// Tells which model a request asks for. A closure is a source too.
///
/// `None` leaves the question to the [`StandardModelSource`]. A source must not block; one that panics counts as
/// `None`.
///
/// ```
/// use oauth_marathon::providers::model::ModelRequest;
/// use oauth_marathon::{Credential, Pool, Secret};
///
/// let pool = Pool::builder("mine")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("key")))
///     // This provider takes the model from a header.
///     .model_source(|request: &ModelRequest<'_>| request.headers().get("x-model")?.to_str().ok().map(str::to_owned))
///     .build()?;
/// # let _ = pool;
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
///
/// A source can be tested by itself:
///
/// ```
/// use http::{HeaderMap, Uri};
/// use oauth_marathon::providers::model::{ModelRequest, ModelSource};
///
/// /// This provider takes the model from the query.
/// struct InQuery;
///
/// impl ModelSource for InQuery {
///     fn model(&self, request: &ModelRequest<'_>) -> Option<String> {
///         let mut fields = request.uri().query()?.split('&');
///         fields.find_map(|field| field.strip_prefix("model=")).map(str::to_owned)
///     }
/// }
///
/// let (uri, headers) = (Uri::from_static("https://api.example.com/v1/chat?model=large"), HeaderMap::new());
/// let request = ModelRequest::new(&uri, &headers).with_body(br#"{"stream":true}"#);
/// assert_eq!(InQuery.model(&request).as_deref(), Some("large"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell the model of a request",
    label = "not a `ModelSource`",
    note = "a closure is one: `|request: &ModelRequest<'_>| -> Option<String> {{ .. }}`"
)]
pub trait ModelSource: Send + Sync + 'static {
    /// The name of the model. Any spelling will do, if the same model has the same name each time.
    fn model(&self, request: &ModelRequest<'_>) -> Option<String>;
}

impl<F> ModelSource for F
where
    F: Fn(&ModelRequest<'_>) -> Option<String> + Send + Sync + 'static,
{
    fn model(&self, request: &ModelRequest<'_>) -> Option<String> {
        self(request)
    }
}

/// A pool holds sources as objects.
const _: Option<&dyn ModelSource> = None;

/// A request as a [`ModelSource`] sees it: without its credential.
#[derive(Clone, Copy)]
pub struct ModelRequest<'a> {
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: Option<&'a [u8]>,
}

impl<'a> ModelRequest<'a> {
    /// A request without a known body. A stack makes it for its source; make one to ask a source yourself, as in a test.
    #[must_use]
    pub fn new(uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self { uri, headers, body: None }
    }

    /// Adds the beginning of the body.
    #[must_use]
    pub fn with_body(mut self, body: &'a [u8]) -> Self {
        self.body = Some(body);
        self
    }

    /// Where the request goes.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The header fields, as the caller set them.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The beginning of the body, where it is in memory: all of it for a body that clones for free.
    #[must_use]
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body
    }
}

impl fmt::Debug for ModelRequest<'_> {
    /// Without header values, query and body, which may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelRequest")
            .field("path", &self.uri.path())
            .field("body_length", &self.body.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// Finds the model of requests, for one pool. [`Pool::models`](crate::Pool::models) gives it to the layer that keeps
/// requests.
///
/// It knows whether a limit of one model is active: only then is the model read before an attempt. Clones share it.
#[derive(Clone)]
pub struct Models(Arc<Inner>);

struct Inner {
    source: Option<Box<dyn ModelSource>>,
    wanted: AtomicBool,
}

/// The most bytes of a model's name; a longer one counts as unknown.
const LONGEST: usize = 256;

impl Models {
    pub(crate) fn new(source: Option<Box<dyn ModelSource>>) -> Self {
        Self(Arc::new(Inner { source, wanted: AtomicBool::new(false) }))
    }

    /// Whether a limit of one model is in force, so that it matters which one a request asks for.
    #[inline]
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.wanted.load(Relaxed)
    }

    pub(crate) fn set_wanted(&self, wanted: bool) {
        self.0.wanted.store(wanted, Relaxed);
    }

    /// The model that a request asks for. `body` is as much of its body as is in memory.
    #[cold]
    pub(crate) fn find(&self, uri: &Uri, headers: &HeaderMap, body: Option<&[u8]>) -> Option<Arc<str>> {
        let request = &ModelRequest { uri, headers, body };
        let own = self.0.source.as_deref().and_then(|source| said_by(|| source.model(request)));
        let found = own.or_else(|| StandardModelSource.model(request));
        found.filter(|name| (1..=LONGEST).contains(&name.len())).map(Arc::from)
    }
}

/// Asks the user's source. If it panics, the result is `None`, and the request goes on.
fn said_by(source: impl FnOnce() -> Option<String>) -> Option<String> {
    shielded(source).unwrap_or_else(|| {
        tracing::warn!(target: "oauth_marathon", "a model source panicked; the standard one is asked");
        None
    })
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models").field("wanted", &self.are_wanted()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(models: &Models, body: &str) -> Option<String> {
        let request = Request::post("https://api.example.com/v1/chat").header("x-model", "own").body(()).unwrap();
        models.find(request.uri(), request.headers(), Some(body.as_bytes())).map(|name| name.to_string())
    }

    fn with(source: impl ModelSource) -> Models {
        Models::new(Some(Box::new(source)))
    }

    #[test]
    fn the_own_source_goes_before_the_standard_one() {
        let own = with(|request: &ModelRequest<'_>| {
            request.headers().get("x-model").and_then(|name| name.to_str().ok()).map(str::to_owned)
        });
        assert_eq!(found(&own, r#"{"model":"m"}"#).as_deref(), Some("own"));
        let none = with(|_: &ModelRequest<'_>| None);
        assert_eq!(found(&none, r#"{"model":"m"}"#).as_deref(), Some("m"));
        let panics = with(|_: &ModelRequest<'_>| -> Option<String> { panic!("no idea") });
        assert_eq!(found(&panics, r#"{"model":"m"}"#).as_deref(), Some("m"));
    }

    #[test]
    fn a_name_without_end_is_none() {
        let long = |length: usize| with(move |_: &ModelRequest<'_>| Some("m".repeat(length)));
        assert!(found(&long(256), "").is_some());
        assert_eq!(found(&long(257), ""), None);
        assert_eq!(found(&long(0), ""), None);
    }
}
