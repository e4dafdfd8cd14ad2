use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::ClassifyBody;
use super::judge::Judge;
use super::read::Reading;
use super::stream::{Asked, Patience, Stream};
use super::watched::Watched;
use crate::context::RequestContext;
use crate::error::{BoxError, Error, TimedOut};
use crate::verdict::{Kind, Lost, Verdict};

pin_project! {
    /// The future of [`Classify`](super::Classify).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: F,
        judge: Arc<Judge>,
        context: Option<RequestContext>,
        // A failed answer, while its body is read.
        failed: Option<Pin<Box<Reading<B>>>>,
        asked: Asked,
        // A stream, until it has begun.
        held: Option<Pin<Box<Stream<B>>>>,
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn new(inner: F, judge: Arc<Judge>, context: Option<RequestContext>, asked: Asked) -> Self {
        Self { inner, judge, context, failed: None, asked, held: None }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    B::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ClassifyBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(stream) = this.held.as_mut() {
            let verdict = ready!(stream.as_mut().poll_begin(cx));
            return begun(this.held, this.context.as_ref(), verdict);
        }
        if this.failed.is_none() {
            let response = match ready!(this.inner.poll(cx)) {
                Ok(response) => response,
                Err(error) => {
                    let error = error.into();
                    note(this.context.as_ref(), this.judge.error(&*error));
                    note_limit(this.context.as_ref(), Error::find(&*error).and_then(Error::timed_out));
                    return Poll::Ready(Err(error));
                }
            };
            if response.status().as_u16() < 400 {
                let verdict = this.judge.head(&response);
                if verdict.is_success()
                    && let Some(format) = this.asked.format(&response)
                {
                    let patience = patience(this.judge, this.context.as_ref());
                    let (parts, body) = response.into_parts();
                    let body = Watched::new(body, this.judge.idle);
                    let stream = Stream::new(parts, body, format, verdict, patience, this.judge.clone());
                    let stream = this.held.insert(Box::pin(stream));
                    let verdict = ready!(stream.as_mut().poll_begin(cx));
                    return begun(this.held, this.context.as_ref(), verdict);
                }
                note(this.context.as_ref(), verdict);
                let mut response = response.map(|body| ClassifyBody::unread(Watched::new(body, this.judge.idle)));
                if !verdict.is_success() {
                    response.extensions_mut().insert(verdict);
                }
                return Poll::Ready(Ok(response));
            }
            let (parts, body) = response.into_parts();
            *this.failed = Some(Box::pin(Reading::new(parts, Watched::new(body, this.judge.idle))));
        }
        poll_failed(this.failed, this.judge, this.context.as_ref(), cx)
    }
}

/// Reads and judges a failed answer.
#[cold]
fn poll_failed<B>(
    failed: &mut Option<Pin<Box<Reading<B>>>>,
    judge: &Judge,
    context: Option<&RequestContext>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<ClassifyBody<B>>, BoxError>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let Some(reading) = failed else { return Poll::Pending };
    ready!(reading.as_mut().poll_read(cx));
    let Some(mut reading) = failed.take() else { return Poll::Pending };
    let Some(mut parts) = reading.as_mut().take_head() else { return Poll::Pending };
    let is_complete = reading.is_complete();
    let verdict = judge.failure(&parts, reading.unread(), is_complete);
    match context {
        Some(context) => {
            let mut call = context.call();
            call.judge(verdict);
            call.failed_body = is_complete.then(|| reading.unread().clone());
        }
        // Without a context the verdict can only go into the response.
        None => {
            parts.extensions.insert(verdict);
        }
    }
    Poll::Ready(Ok(Response::from_parts(parts, ClassifyBody::read(reading))))
}

/// How long a stream may be held after its head: as the layer is set, and not beyond the request's deadline.
fn patience(judge: &Judge, context: Option<&RequestContext>) -> Patience {
    if let Some(context) = context {
        context.set_streams(true);
    }
    Patience { time: judge.hold, deadline: context.and_then(RequestContext::deadline) }
}

/// Builds the response of a stream that is no longer held.
fn begun<B>(
    held: &mut Option<Pin<Box<Stream<B>>>>,
    context: Option<&RequestContext>,
    verdict: Verdict,
) -> Poll<Result<Response<ClassifyBody<B>>, BoxError>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let Some(mut stream) = held.take() else { return Poll::Pending };
    let Some((mut parts, news)) = stream.as_mut().take_head() else { return Poll::Pending };
    let verdict = match stream.timed_out() {
        Some(_) if verdict.kind() == Kind::Network => verdict.with_lost(Lost::TimedOut),
        _ => verdict,
    };
    note(context, verdict);
    if !verdict.is_success() {
        note_limit(context, stream.timed_out());
    }
    parts.extensions.insert(news);
    if !verdict.is_success() && context.is_none() {
        parts.extensions.insert(verdict);
    }
    Poll::Ready(Ok(Response::from_parts(parts, ClassifyBody::stream(stream))))
}

fn note(context: Option<&RequestContext>, verdict: Verdict) {
    if let Some(context) = context {
        context.call().judge(verdict);
    }
}

/// Notes the time limit that ran out, if one did.
#[cold]
fn note_limit(context: Option<&RequestContext>, timed_out: Option<TimedOut>) {
    if let (Some(context), Some(timed_out)) = (context, timed_out) {
        context.call().time_out(timed_out);
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("classify::ResponseFuture")
    }
}
