//! Requests and answers from reqwest's types to those of the `http` crate, and back.

use ::reqwest::{Body, Error, Request, Response, ResponseBuilderExt, Url};
use http::{Extensions, Uri};

use super::body::RequestBody;
use crate::marathon::MarathonBody;

/// Where a caller sent a request: as it was spelt, with its fragment, and as the layers see it.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) url: Url,
    uri: Uri,
}

impl Address {
    pub(super) fn is_kept_by<B>(&self, request: &http::Request<B>) -> bool {
        *request.uri() == self.uri
    }
}

/// In the extensions of an answer that came over the network, and so brings its URL.
#[derive(Debug, Clone, Copy)]
struct Received;

pub(super) fn request_in(request: Request) -> Result<(http::Request<RequestBody>, Address), Error> {
    let url = request.url().clone();
    match http::Request::<Body>::try_from(request) {
        Ok(request) => {
            let uri = request.uri().clone();
            Ok((request.map(RequestBody::from), Address { url, uri }))
        }
        Err(error) => Err(error.with_url(url)),
    }
}

/// With the caller's own URL where the request still goes there: it need not be parsed again.
pub(super) fn request_out(mut request: http::Request<RequestBody>, address: &Address) -> Result<Request, Error> {
    if !address.is_kept_by(&request) {
        return Request::try_from(request);
    }
    let url = address.url.clone();
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

/// The URL of an answer goes along in its extensions, as the conversion back expects it.
pub(super) fn answer_in(answer: Response) -> http::Response<Body> {
    let url = answer.url().clone();
    let mut answer = http::Response::<Body>::from(answer);
    put_url(answer.extensions_mut(), url);
    answer.extensions_mut().insert(Received);
    answer
}

/// An answer that the pool remembered gets the URL of the request.
pub(super) fn answer_out(mut answer: http::Response<MarathonBody<Body>>, address: &Address) -> Response {
    if answer.extensions_mut().remove::<Received>().is_none() {
        put_url(answer.extensions_mut(), address.url.clone());
    }
    Response::from(answer)
}

fn put_url(extensions: &mut Extensions, url: Url) {
    if let Ok(carrier) = http::Response::builder().url(url).body(()) {
        extensions.extend(carrier.into_parts().0.extensions);
    }
}

/// The headers of a pool can be any; reqwest knows only the usual ones, and takes the others along to wherever it is
/// redirected. That is past preventing here, but not past telling.
pub(super) fn tell_if_elsewhere(sent: &Url, answered: &Url) {
    if sent != answered && sent.origin() != answered.origin() {
        tracing::warn!(
            target: "oauth_marathon",
            "reqwest followed a redirect to {} by itself, and may have taken a credential along; build the client with \
             .redirect(oauth_marathon::reqwest::redirect_policy(&pool))",
            answered.origin().ascii_serialization(),
        );
    }
}

/// So that an answer becomes a [`Response`] by `Response::from`, its URL included.
impl From<MarathonBody<Body>> for Body {
    fn from(body: MarathonBody<Body>) -> Self {
        Body::wrap(body)
    }
}
