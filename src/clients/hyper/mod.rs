//! A pooled HTTPS client as a tower service, over hyper.
//!
//! It adds to hyper's client what a credential needs: TLS, a time limit for connecting, bounds for the head of an
//! answer, and errors that name them. It knows no pool.

mod builder;
mod connect;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper_util::client::legacy::{Client, ResponseFuture as HyperFuture};
use tower_service::Service;

use self::builder::HeadBounds;
pub use self::builder::HttpClientBuilder;
use self::connect::Connector;
use crate::credentials::origin;
use crate::error::{BoxError, Error, ErrorKind, chain};

/// An HTTPS client: a service from [`http::Request`] to [`http::Response`].
///
/// It speaks HTTP/1.1 and HTTP/2 as the server prefers, keeps connections for later requests, trusts Mozilla's root
/// certificates, and uses the cryptography of `ring` whatever the process has installed as its default. It follows no
/// redirects. Plain `http` is for this machine's own addresses; to others nothing is sent. Connecting, the TLS
/// handshake included, has a [time limit](Self::with_connect_timeout) of 10 s; there is no other.
///
/// The head of an answer may have 1,000 fields over HTTP/1.1, and 256 KiB of them over HTTP/2. A larger one is an error of the
/// kind [`HeadTooLarge`](ErrorKind::HeadTooLarge).
///
/// A clone is cheap and shares the connections. Its errors keep their sources, so that a classifier finds what hyper
/// reported.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::clients::HttpClient;
/// use oauth_marathon::tokens::refresh::OAuth2;
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let client = HttpClient::<Full<Bytes>>::new()?;
/// let source = OAuth2::new("https://auth.example.com/oauth/token", "my-client", client);
/// # let _ = source;
/// # Ok(()) }
/// ```
pub struct HttpClient<B> {
    client: Client<Connector, B>,
    head: HeadBounds,
}

impl<B> HttpClient<B>
where
    B: Body<Data: Send> + Send,
{
    /// A client without any connection yet, which gives up connecting after 10 s.
    ///
    /// # Errors
    ///
    /// If the cryptography cannot be set up, which does not depend on anything outside of the program.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client without any connection yet, with a time limit for connecting; see
    /// [`HttpClientBuilder::connect_timeout`].
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new).
    pub fn with_connect_timeout(limit: Option<Duration>) -> Result<Self, Error> {
        Self::builder().connect_timeout(limit).build()
    }

    /// Begins a client with other root certificates, idle connections, time limits or bounds.
    pub fn builder() -> HttpClientBuilder<B> {
        HttpClientBuilder::new()
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
        self.client.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        if origin::is_protected(request.uri()) {
            ResponseFuture(State::Sent(self.client.call(request), self.head))
        } else {
            ResponseFuture(State::Refused)
        }
    }
}

impl<B> Clone for HttpClient<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), head: self.head }
    }
}

impl<B> fmt::Debug for HttpClient<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// The future of an [`HttpClient`]'s answer. Dropping it cancels the request.
pub struct ResponseFuture(State);

enum State {
    Sent(HyperFuture, HeadBounds),
    Refused,
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Sent(future, head) => {
                let answer = ready!(Pin::new(future).poll(cx));
                Poll::Ready(Ok(answer.map_err(|error| explained(error, *head))?.map(ResponseBody)))
            }
            State::Refused => Poll::Ready(Err(Error::new(
                ErrorKind::ForeignOrigin,
                "only https is sent to other machines; the request's URL is not absolute, or of another scheme",
            )
            .into())),
        }
    }
}

/// Wraps an error that is about this client's own bounds in one that names the bound; passes others on.
#[cold]
fn explained(error: hyper_util::client::legacy::Error, head: HeadBounds) -> BoxError {
    let is_too_large = chain(&error).any(|error| {
        let too_large = |error: &hyper::Error| error.is_parse_too_large();
        // h2 has no error for a head that is too large: it resets the stream by itself, as for other violations of the
        // protocol.
        let reset_by_us = |error: &h2::Error| {
            error.is_reset() && error.is_library() && error.reason() == Some(h2::Reason::PROTOCOL_ERROR)
        };
        error.downcast_ref().is_some_and(too_large) || error.downcast_ref().is_some_and(reset_by_us)
    });
    if !is_too_large {
        return error.into();
    }
    let message = format!("the head of the answer is malformed, or larger than this client reads: {head}");
    Error::new(ErrorKind::HeadTooLarge, message).with_source(error).into()
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
