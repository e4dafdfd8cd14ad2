//! The user's HTTP client without its types: one request out, one bounded answer back.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;
use zeroize::Zeroizing;

use crate::clock::WallClock;
use crate::error::BoxError;
use crate::tokens::refresh::RefreshError;
use crate::tokens::refresh::body::{Came, failed, read_answer};

/// The answer to one request, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// When the request was sent. A token's life is counted from here, so that it is never taken for longer than it is.
    pub(super) sent_at: SystemTime,
}

/// Sends requests; a clone shares the client.
#[derive(Clone)]
pub(super) struct Http {
    client: Arc<dyn Client>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) timeout: Duration,
}

impl Http {
    pub(super) fn new<C, B, A>(client: C, clock: Arc<dyn WallClock>, timeout: Duration) -> Self
    where
        C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
        B: From<Bytes> + Send + 'static,
        A: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let client = Arc::new(Typed { client: Mutex::new(client), body: PhantomData::<fn() -> B> });
        Self { client, clock, timeout }
    }

    /// Sends one request, and returns its answer, of any status. A redirect is an answer too, and is not followed.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Reply, RefreshError> {
        let sent_at = self.clock.now();
        match tokio::time::timeout(self.timeout, self.client.send(request)).await {
            Ok(answer) => {
                let (status, headers, body) = answer?;
                Ok(Reply { status, headers, body, sent_at })
            }
            Err(_) => Err(RefreshError::transient(format!("no answer of the server within {:?}", self.timeout))),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

type Answer = Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), RefreshError>;

trait Client: Send + Sync {
    fn send(&self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Answer> + Send>>;
}

struct Typed<C, B> {
    /// The client, which is cloned and never called. Thanks to the lock it need not be `Sync`.
    client: Mutex<C>,
    body: PhantomData<fn() -> B>,
}

impl<C, B, A> Client for Typed<C, B>
where
    C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: From<Bytes> + Send + 'static,
    A: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    fn send(&self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            poll_fn(|cx| client.poll_ready(cx)).await.map_err(|source| failed(source.into()))?;
            let answer = client.call(request.map(B::from)).await.map_err(|source| failed(source.into()))?;
            let mut came = None;
            read_answer(answer, &mut came).await?;
            let Some(Came { head, body }) = came else { return Err(failed("there is no answer".into())) };
            Ok((head.status, head.headers, body))
        })
    }
}
