//! The user's HTTP client without its types.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response, Uri};
use http_body::Body;
use tower_service::Service;

use crate::clock::WallClock;
use crate::error::BoxError;
use crate::sync::{Mutex, lock};
use crate::tokens::refresh::RefreshError;
use crate::tokens::refresh::send::{Reply, send};

/// Sends requests; a clone shares the client.
#[derive(Clone)]
pub(super) struct Http {
    client: Arc<Client>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) timeout: Duration,
}

type Client = dyn Fn(Request<Bytes>, Duration, Arc<dyn WallClock>) -> Answer + Send + Sync;
type Answer = Pin<Box<dyn Future<Output = Result<Reply, RefreshError>> + Send>>;

impl Http {
    pub(super) fn new<C, B, A>(client: C, clock: Arc<dyn WallClock>, timeout: Duration) -> Self
    where
        C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
        B: From<Bytes> + Send + 'static,
        A: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        // The client is cloned and never called. Thanks to the lock it need not be `Sync`.
        let client = Mutex::new(client);
        let client = Arc::new(move |request, limit, clock: Arc<dyn WallClock>| -> Answer {
            let client = lock(&client).clone();
            Box::pin(async move { send::<C, B, A>(client, request, "the server", limit, &*clock).await })
        });
        Self { client, clock, timeout }
    }

    /// Sends one request, and returns its answer, of any status, read to its end.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Reply, RefreshError> {
        let mut reply = (self.client)(request, self.timeout, self.clock.clone()).await?;
        reply.cut.take().map_or(Ok(reply), Err)
    }
}

/// A GET that asks for JSON.
pub(super) fn get(uri: Uri) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
