//! One call of a scripted provider, from the request's body to the reply.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use http::Response;
use http_body::Body;
use oauth_marathon::BoxError;
use pin_project_lite::pin_project;

use super::body::ScriptedBody;
use super::probe::Guard;
use super::provider_script::Shared;
use super::reply::Reply;

type Saying = Pin<Box<dyn Future<Output = io::Result<Response<ScriptedBody>>> + Send>>;

pin_project! {
    /// The future of [`ScriptedProvider`](super::ScriptedProvider).
    #[must_use = "futures do nothing unless polled"]
    pub struct ReplyFuture<B> {
        #[pin]
        body: B,
        read: BytesMut,
        // The place of the request in the record, for its body.
        place: usize,
        shared: Arc<Shared>,
        // Taken once the body has been read.
        reply: Option<Reply>,
        saying: Option<Saying>,
        guard: Guard,
    }
}

impl<B> ReplyFuture<B> {
    pub(super) fn new(body: B, place: usize, shared: Arc<Shared>, reply: Reply, guard: Guard) -> Self {
        Self { body, read: BytesMut::new(), place, shared, reply: Some(reply), saying: None, guard }
    }
}

impl<B> Future for ReplyFuture<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<Response<ScriptedBody>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Some(saying) = this.saying {
                let said = ready!(saying.as_mut().poll(cx));
                this.guard.complete();
                return Poll::Ready(said);
            }
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        let length = data.remaining();
                        this.read.extend_from_slice(&data.copy_to_bytes(length));
                    }
                }
                Some(Err(error)) => {
                    this.guard.complete();
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                None => {
                    this.shared.state().set_body(*this.place, this.read.split().freeze());
                    *this.saying = this.reply.take().map(|reply| Box::pin(reply.say()) as Saying);
                }
            }
        }
    }
}

impl<B> fmt::Debug for ReplyFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyFuture").field("reply", &self.reply).finish_non_exhaustive()
    }
}
