//! Builds an [`HttpClient`].

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::HttpClient;
use super::connect::Connector;
use crate::error::Error;

/// The default of `connectTimeoutMs`. It is longer than a lost packet and its repetition take, and shorter than the
/// minutes that an operating system waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The most that a client reads of the head of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadBounds {
    /// Header fields over HTTP/1.1. Each proxy on the way adds some, and a refusal has to be readable.
    fields: usize,
    /// The bytes of the header fields over HTTP/2, counted as HTTP/2 does.
    bytes: u32,
}

impl fmt::Display for HeadBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fields over HTTP/1.1, {} bytes over HTTP/2", self.fields, self.bytes)
    }
}

/// Builds an [`HttpClient`]; made by [`HttpClient::builder`].
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::clients::HttpClient;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let client = HttpClient::<Full<Bytes>>::builder()
///     .connect_timeout(Some(Duration::from_secs(3)))
///     .max_idle_per_host(8)
///     .build()?;
/// # let _ = client;
/// # Ok(()) }
/// ```
#[must_use = "nothing exists before build"]
pub struct HttpClientBuilder<B> {
    connect_timeout: Option<Duration>,
    root_certificates: Vec<Vec<u8>>,
    mozilla_roots: bool,
    idle_timeout: Option<Duration>,
    max_idle_per_host: usize,
    head: HeadBounds,
    body: PhantomData<fn() -> B>,
}

impl<B> HttpClientBuilder<B>
where
    B: Body<Data: Send> + Send,
{
    pub(super) fn new() -> Self {
        Self {
            connect_timeout: Some(CONNECT_TIMEOUT),
            root_certificates: Vec::new(),
            mozilla_roots: true,
            idle_timeout: Some(IDLE_TIMEOUT),
            max_idle_per_host: usize::MAX,
            head: HeadBounds { fields: 1_000, bytes: 256 * 1024 },
            body: PhantomData,
        }
    }

    /// How long connecting may take, the TLS handshake included: 10 s by default, for example from the
    /// [settings](crate::config::Settings::connect_timeout). `None` sets no limit. A request over the limit fails with an
    /// error of the kind [`ConnectTimeout`](crate::ErrorKind::ConnectTimeout), and nothing of it was sent.
    pub fn connect_timeout(mut self, limit: Option<Duration>) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Trusts the root certificates in this PEM text too, for example the certificate of a company's proxy.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Whether Mozilla's root certificates are trusted, as they are by default. With `false` only the
    /// [root certificates](Self::root_certificates) that were added count.
    pub fn mozilla_roots(mut self, trusted: bool) -> Self {
        self.mozilla_roots = trusted;
        self
    }

    /// How long a connection is kept without a request: 90 s by default. `None` sets no limit.
    pub fn idle_timeout(mut self, limit: Option<Duration>) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// The most connections without a request that are kept for one host. There is no limit by default; with 0 none is
    /// kept.
    pub fn max_idle_per_host(mut self, most: usize) -> Self {
        self.max_idle_per_host = most;
        self
    }

    /// The most header fields that an answer may have over HTTP/1.1: 1,000 by default.
    pub fn max_header_fields(mut self, most: usize) -> Self {
        self.head.fields = most;
        self
    }

    /// The most bytes that the header fields of an answer may have over HTTP/2, counted as HTTP/2 does: 256 KiB by default.
    pub fn max_header_bytes(mut self, most: u32) -> Self {
        self.head.bytes = most;
        self
    }

    /// Builds the client. It has no connection yet.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](crate::ErrorKind::Config), if a text with root certificates holds none or cannot be read, and if
    /// no root certificate is left to trust.
    pub fn build(self) -> Result<HttpClient<B>, Error> {
        self.build_from(&mut Client::builder(TokioExecutor::new()))
    }

    /// Builds the client by a builder of hyper's, which may say more.
    pub(super) fn build_from(self, builder: &mut hyper_util::client::legacy::Builder) -> Result<HttpClient<B>, Error> {
        let connector = Connector::new(self.tls()?, self.connect_timeout);
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
        builder.pool_idle_timeout(self.idle_timeout).pool_max_idle_per_host(self.max_idle_per_host);
        builder.http1_max_headers(self.head.fields).http2_max_header_list_size(self.head.bytes);
        Ok(HttpClient { client: builder.build(connector), head: self.head })
    }

    fn tls(&self) -> Result<ClientConfig, Error> {
        let mut roots = RootCertStore::empty();
        if self.mozilla_roots {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in &self.root_certificates {
            add_root_certificates(&mut roots, pem)?;
        }
        if roots.is_empty() {
            return Err(Error::config("no root certificate is trusted; add some, or trust Mozilla's"));
        }
        // The process may have another cryptography as its default.
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::config("TLS could not be set up").with_source(source))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

fn add_root_certificates(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), Error> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|source| unreadable().with_source(source))?;
        roots.add(certificate).map_err(|source| unreadable().with_source(source))?;
    }
    if roots.len() == before {
        return Err(Error::config("a text with root certificates holds no certificate; PEM was expected"));
    }
    Ok(())
}

fn unreadable() -> Error {
    Error::config("a root certificate cannot be read; PEM with X.509 certificates was expected")
}

impl<B> fmt::Debug for HttpClientBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("root_certificates", &self.root_certificates.len())
            .field("mozilla_roots", &self.mozilla_roots)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_idle_per_host", &self.max_idle_per_host)
            .field("head", &self.head)
            .finish()
    }
}
