//! Requests that can be sent only once.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::Full;
use oauth_marathon::layers::replay::{ReplayBody, ReplayableBody};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, pool, post, seconds};

/// A body that cannot be copied.
struct Original(Full<Bytes>);

impl Body for Original {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

impl ReplayableBody for Original {
    fn try_clone(&self) -> Option<Self> {
        None
    }
}

fn limited() -> Stage {
    Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(5).body("slow down")))
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_the_limit_is_sent_once_and_the_next_request_starts_with_the_next_account() {
    let stage = limited();
    let request: Request<ReplayBody<_>> = post().map(|body| ReplayBody::new(body, 4));
    let answer = stage.send(request).await;
    assert_eq!((answer.status, answer.body.as_str()), (429, "slow down"));
    assert_eq!(stage.tokens(), ["a"]);
    assert_eq!(stage.provider.requests()[0].body.as_deref(), Some(&b"{\"hello\":1}"[..]), "it went out whole");

    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_gets_the_first_answer_and_no_other_account_is_asked() {
    let stage = limited();
    let answer = stage.send(post().map(Original)).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("5")));
    assert_eq!(stage.tokens(), ["a"]);
    assert_eq!(stage.cooldown("a").unwrap().1, seconds(5));
}
