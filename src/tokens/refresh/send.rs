//! Sends one request over the user's HTTP client, and reads its answer, up to a limit, into memory that is wiped.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;
use zeroize::Zeroizing;

use super::RefreshError;
use crate::clock::WallClock;
use crate::error::BoxError;

/// The most bytes that are read. A longer answer holds no tokens that a header could carry.
const LIMIT: usize = 1024 * 1024;

/// The first size of the buffer. It doubles when it is full.
const FIRST: usize = 16 * 1024;

/// The answer to one request, of any status. A redirect is an answer too, and is not followed.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The whole body, or if it was cut off, the part before that.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// When the request was sent. A token's life is counted from here, so that it is never taken for longer than it is.
    pub(crate) sent_at: SystemTime,
    /// Why the body was cut off, if it was.
    pub(crate) cut: Option<RefreshError>,
}

/// Sends a request through `http`, which is a clone of the user's own. `server` names the server for people.
pub(crate) async fn send<C, B, A>(
    mut http: C,
    request: Request<Bytes>,
    server: &str,
    limit: Duration,
    clock: &dyn WallClock,
) -> Result<Reply, RefreshError>
where
    C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>>,
    B: From<Bytes>,
    A: Body<Error: Into<BoxError>>,
{
    // Kept outside of the time limit, because the part of an answer that has come may hold the new refresh token.
    let mut reply = None;
    let exchange = async {
        poll_fn(|cx| http.poll_ready(cx)).await.map_err(|source| failed(source.into()))?;
        let sent_at = clock.now();
        let answer = http.call(request.map(B::from)).await.map_err(|source| failed(source.into()))?;
        let (head, body) = answer.into_parts();
        let (status, headers, empty) = (head.status, head.headers, Zeroizing::new(Vec::with_capacity(FIRST)));
        let reply = reply.insert(Reply { status, headers, body: empty, sent_at, cut: None });
        read_body(body, &mut reply.body).await
    };
    let ended = tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
        Err(RefreshError::transient(format!("no answer of {server} within {limit:?}")).unanswered())
    });
    match (reply, ended) {
        (Some(reply), ended) => Ok(Reply { cut: ended.err(), ..reply }),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(failed("there is no answer".into())),
    }
}

fn failed(source: BoxError) -> RefreshError {
    RefreshError::transient("the exchange with the token endpoint failed").unanswered().with_source(source)
}

/// Reads the whole body. A body over the limit is an error, as soon as that shows.
async fn read_body<A>(body: A, answer: &mut Zeroizing<Vec<u8>>) -> Result<(), RefreshError>
where
    A: Body<Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx).map_err(|source| failed(source.into()))).await {
        if let Ok(mut data) = frame?.into_data() {
            if data.remaining() > LIMIT.saturating_sub(answer.len()) {
                return Err(RefreshError::transient("the token endpoint gave an answer of more than 1 MiB"));
            }
            make_room(answer, data.remaining());
            while data.has_remaining() {
                let chunk = data.chunk();
                let length = chunk.len();
                answer.extend_from_slice(chunk);
                data.advance(length);
            }
        }
        // Yields now and then, so that a timeout can fire although every frame is ready.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

/// Makes room for `more` bytes. A vector that grew by itself would leave its old memory unwiped.
fn make_room(answer: &mut Zeroizing<Vec<u8>>, more: usize) {
    let wanted = answer.len() + more;
    if wanted > answer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted.next_power_of_two()));
        larger.extend_from_slice(answer);
        *answer = larger;
    }
}
