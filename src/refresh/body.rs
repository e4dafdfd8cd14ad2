//! Reading the body of a token endpoint's answer, up to a limit, into memory that is wiped.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Buf;
use http_body::Body;
use zeroize::Zeroizing;

use super::RefreshError;
use crate::error::BoxError;

/// The most that is read, in bytes.
const LIMIT: usize = 64 * 1024;

pub(crate) fn failed(source: BoxError) -> RefreshError {
    RefreshError::transient("the exchange with the token endpoint failed").unanswered().with_source(source)
}

/// The whole body; a longer one than the limit is an error, as soon as that shows.
pub(crate) async fn read_body<A>(body: A) -> Result<Zeroizing<Vec<u8>>, RefreshError>
where
    A: Body<Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    // All the room at once: growing would leave a copy behind that nothing wipes.
    let mut answer = Zeroizing::new(Vec::with_capacity(LIMIT));
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx).map_err(|source| failed(source.into()))).await {
        if let Ok(mut data) = frame?.into_data() {
            if data.remaining() > LIMIT.saturating_sub(answer.len()) {
                return Err(RefreshError::transient("the token endpoint gave an answer of more than 64 KiB"));
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                let length = chunk.len();
                answer.extend_from_slice(chunk);
                data.advance(length);
            }
        }
        // Lets a timeout be seen between frames that are always ready.
        tokio::task::coop::consume_budget().await;
    }
    Ok(answer)
}
