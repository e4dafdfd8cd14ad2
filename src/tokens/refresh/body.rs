//! Reads the body of a token endpoint's answer, up to a limit, into memory that is wiped.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Buf;
use http::{Response, response};
use http_body::Body;
use zeroize::Zeroizing;

use super::RefreshError;
use crate::error::BoxError;

/// The most bytes that are read. A longer answer holds no tokens that a header could carry.
const LIMIT: usize = 1024 * 1024;

/// The first size of the buffer. It doubles when it is full.
const FIRST: usize = 16 * 1024;

pub(crate) fn failed(source: BoxError) -> RefreshError {
    RefreshError::transient("the exchange with the token endpoint failed").unanswered().with_source(source)
}

/// What has come of an answer: its head, and its body so far.
pub(crate) struct Came {
    pub(crate) head: response::Parts,
    /// The whole body, or if reading has failed, the part before that.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Reads an answer into `came`. The part that has come stays there even if reading fails or is cut off by the time limit.
pub(crate) async fn read_answer<A>(answer: Response<A>, came: &mut Option<Came>) -> Result<(), RefreshError>
where
    A: Body<Error: Into<BoxError>>,
{
    let (head, body) = answer.into_parts();
    let came = came.insert(Came { head, body: Zeroizing::new(Vec::with_capacity(FIRST)) });
    read_body(body, &mut came.body).await
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
