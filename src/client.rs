//! A pooled HTTPS client as a tower service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture as HyperFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::error::{BoxError, Error, ErrorKind};
use crate::origin;

/// Longer than a lost packet and its repetition, shorter than the minutes that an operating system waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTPS client: a service from [`http::Request`] to [`http::Response`].
///
/// It speaks HTTP/1.1 and HTTP/2 as the server prefers, keeps connections for later requests, trusts Mozilla's root
/// certificates, and uses the cryptography of `ring` whatever the process has installed as its default. It follows no
/// redirects. Plain `http` is for this machine's own addresses; to others nothing is sent. A connection that is not
/// there after 10 s is given up; there is no other time limit.
///
/// A clone is cheap and shares the connections. Its errors keep their sources, so that a classifier finds what hyper
/// reported.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::client::HttpClient;
/// use oauth_marathon::refresh::OAuth2;
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let client = HttpClient::<Full<Bytes>>::new()?;
/// let source = OAuth2::new("https://auth.example.com/oauth/token", "my-client", client);
/// # let _ = source;
/// # Ok(()) }
/// ```
pub struct HttpClient<B>(Client<HttpsConnector<HttpConnector>, B>);

impl<B> HttpClient<B>
where
    B: Body<Data: Send> + Send,
{
    /// A client without any connection yet.
    ///
    /// # Errors
    ///
    /// If the cryptography cannot be set up, which does not depend on anything outside of the program.
    pub fn new() -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        // The scheme is checked in `call`.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(Arc::new(rustls::crypto::ring::default_provider()))
            .map_err(|source| Error::config("TLS could not be set up").with_source(source))?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }
}

impl<B> Service<Request<B>> for HttpClient<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        if origin::is_protected(request.uri()) {
            ResponseFuture(State::Sent(self.0.call(request)))
        } else {
            ResponseFuture(State::Refused)
        }
    }
}

impl<B> Clone for HttpClient<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> fmt::Debug for HttpClient<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// The answer to come of an [`HttpClient`]. Dropping it cancels the request.
pub struct ResponseFuture(State);

enum State {
    Sent(HyperFuture),
    Refused,
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Sent(future) => Pin::new(future).poll(cx).map(|answer| Ok(answer?.map(ResponseBody))),
            State::Refused => Poll::Ready(Err(Error::new(
                ErrorKind::ForeignOrigin,
                "only https is sent to other machines; the request's URL is not absolute, or of another scheme",
            )
            .into())),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// The body of an answer, streamed as it arrives.
pub struct ResponseBody(hyper::body::Incoming);

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
