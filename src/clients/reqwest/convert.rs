//! Converts requests from reqwest's types to those of the `http` crate, and back.

use ::reqwest::{Body, Error, Request, Url};
use http::Uri;

use super::body::RequestBody;

/// Where the caller sent a request: the URI, which the layers see, and the fragment of the URL, which they do not.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) uri: Uri,
    fragment: Option<String>,
}

impl Address {
    pub(super) fn is_kept_by<B>(&self, request: &http::Request<B>) -> bool {
        let parts =
            |uri: &Uri| Some((uri.authority()?.as_str() as *const str, uri.path_and_query()?.as_str() as *const str));
        // Copies of a URI share its text.
        parts(request.uri()) == parts(&self.uri) || *request.uri() == self.uri
    }

    /// The URL as the caller wrote it.
    pub(super) fn url(&self) -> Option<Url> {
        Some(self.with_fragment(Url::parse(&self.uri.to_string()).ok()?))
    }

    /// The same URL, from the answer of an attempt that was not redirected: copying it costs less than parsing.
    pub(super) fn url_of(&self, answered: &Url) -> Option<Url> {
        let same = is_origin(&self.uri, answered)
            && self.uri.path() == answered.path()
            && self.uri.query() == answered.query();
        same.then(|| self.with_fragment(answered.clone()))
    }

    fn with_fragment(&self, mut url: Url) -> Url {
        if url.fragment() != self.fragment.as_deref() {
            url.set_fragment(self.fragment.as_deref());
        }
        url
    }
}

/// Converts a request for the stack. The URL is returned too, so that it need not be parsed again if the request still
/// goes there.
pub(super) fn request_in(request: Request) -> Result<(http::Request<RequestBody>, Address, Url), Error> {
    let url = request.url().clone();
    match http::Request::<Body>::try_from(request) {
        Ok(request) => {
            let address = Address { uri: request.uri().clone(), fragment: url.fragment().map(str::to_owned) };
            Ok((request.map(RequestBody::from), address, url))
        }
        Err(error) => Err(error.with_url(url)),
    }
}

/// Converts a request back. It goes to `url`, or if that is `None` to the request's URI.
pub(super) fn request_out(mut request: http::Request<RequestBody>, url: Option<Url>) -> Result<Request, Error> {
    let Some(url) = url else { return Request::try_from(request) };
    if request.extensions().is_empty() {
        let mut out = Request::new(request.method().clone(), url);
        *out.version_mut() = request.version();
        *out.headers_mut() = std::mem::take(request.headers_mut());
        *out.body_mut() = request.into_body().into_option();
        return Ok(out);
    }
    // reqwest keeps the timeout of a request in its extensions, which only this conversion carries over.
    let mut out = Request::try_from(request)?;
    *out.url_mut() = url;
    Ok(out)
}

/// Warns in the log if reqwest has followed a redirect to another origin. A pool's credentials can be in any header.
/// reqwest removes only the usual ones and sends the others along, and by now this can only be reported.
pub(super) fn tell_if_elsewhere(sent: &Uri, answered: &Url) {
    // Equal texts are the same origin; different texts may be, too.
    if !is_origin(sent, answered) && Url::parse(&sent.to_string()).is_ok_and(|sent| sent.origin() != answered.origin())
    {
        tracing::warn!(
            target: "oauth_marathon",
            "reqwest followed a redirect to {} by itself, and may have taken a credential along; build the client with \
             .redirect(oauth_marathon::clients::reqwest::redirect_policy(&pool))",
            answered.origin().ascii_serialization(),
        );
    }
}

fn is_origin(uri: &Uri, url: &Url) -> bool {
    uri.scheme_str() == Some(url.scheme())
        && uri.authority().is_some_and(|authority| authority.as_str() == url.authority())
}
