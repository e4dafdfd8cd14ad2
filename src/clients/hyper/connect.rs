//! Connects within a time limit.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::error::{BoxError, Error, TimeLimit};

/// How much longer one address may take than the whole connect: so the whole limit ends first, and its error says why.
const MARGIN: Duration = Duration::from_millis(100);

/// Connects, with TLS if the scheme is `https`. The time limit covers name lookup, connection and handshake.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Option<Duration>,
}

impl Connector {
    pub(super) fn new(tls: ClientConfig, limit: Option<Duration>) -> Self {
        let mut tcp = HttpConnector::new();
        // The scheme was checked before.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The time is divided among the addresses of a name, so that a dead one leaves time for the next.
        tcp.set_connect_timeout(limit.map(|limit| limit.saturating_add(MARGIN)));
        let inner =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        Self { inner, limit }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        match self.limit {
            None => connecting,
            Some(limit) => Box::pin(async move {
                let connection = tokio::time::timeout(limit, connecting).await;
                connection.unwrap_or_else(|_| Err(Error::of_time_limit(TimeLimit::Connect.ran_out(limit)).into()))
            }),
        }
    }
}
