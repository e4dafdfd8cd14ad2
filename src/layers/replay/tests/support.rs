//! A scripted body, and ways to read one.

use std::collections::VecDeque;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::layers::replay::ReplayBody;

/// One poll of a [`Script`].
#[derive(Debug, Clone)]
pub(super) enum Act {
    Data(Bytes),
    Trailers(HeaderMap),
    Pending,
    Error,
    Panic,
}

pin_project! {
    /// A body that acts as told. It is not `Unpin`, panics when polled after its end, and counts its polls.
    #[derive(Debug, Default)]
    pub(super) struct Script {
        acts: VecDeque<Act>,
        hint: SizeHint,
        candid: bool,
        ended: bool,
        polls: Arc<AtomicUsize>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Script {
    pub(super) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { acts: acts.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn of(chunks: &[&'static str]) -> Self {
        Self::new(chunks.iter().map(|chunk| data(chunk)))
    }

    /// Lets `is_end_stream` tell the truth once the last act is done.
    pub(super) fn candid(mut self) -> Self {
        self.candid = true;
        self
    }

    pub(super) fn hint(mut self, lower: u64, upper: Option<u64>) -> Self {
        self.hint.set_lower(lower);
        if let Some(upper) = upper {
            self.hint.set_upper(upper);
        }
        self
    }

    /// The number of polls so far; it is shared only while the body lives.
    pub(super) fn polls(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.polls)
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let this = self.project();
        this.polls.fetch_add(1, Ordering::Relaxed);
        assert!(!*this.ended, "polled after the end");
        let act = this.acts.pop_front();
        *this.ended = matches!(act, None | Some(Act::Error));
        match act {
            Some(Act::Data(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Some(Act::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Act::Error) => Poll::Ready(Some(Err("the caller hung up"))),
            Some(Act::Panic) => panic!("scripted"),
            Some(Act::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.candid && self.acts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

pub(super) fn data(chunk: &'static str) -> Act {
    Act::Data(Bytes::from_static(chunk.as_bytes()))
}

pub(super) fn trailers() -> HeaderMap {
    [(http::header::ETAG, http::HeaderValue::from_static("checksum"))].into_iter().collect()
}

/// The text and the trailers of the rest of `body`.
pub(super) async fn read<B: Body<Data = Bytes, Error = BoxError>>(
    body: B,
) -> Result<(String, Option<HeaderMap>), BoxError> {
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    Ok((String::from_utf8(collected.to_bytes().to_vec())?, trailers))
}

/// The text of the rest of `body`.
pub(super) async fn text<B>(body: ReplayBody<B>) -> String
where
    B: Body,
    B::Error: Into<BoxError>,
{
    read(body).await.unwrap().0
}

/// The text of the next chunk of `body`.
pub(super) async fn chunk<B>(body: &mut ReplayBody<B>) -> String
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

/// The error that `body` yields next.
pub(super) async fn error<B>(body: &mut ReplayBody<B>) -> String
where
    B: Body,
    B::Error: Into<BoxError>,
{
    body.frame().await.unwrap().unwrap_err().to_string()
}
