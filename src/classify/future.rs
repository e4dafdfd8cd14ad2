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
use crate::context::RequestContext;
use crate::error::BoxError;
use crate::verdict::Verdict;

pin_project! {
    /// The future of [`Classify`](super::Classify).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B>
    where
        B: Body,
    {
        #[pin]
        inner: F,
        judge: Arc<Judge>,
        context: Option<RequestContext>,
        // A failed answer, while its body is read.
        failed: Option<Pin<Box<Reading<B>>>>,
    }
}

impl<F, B: Body> ResponseFuture<F, B> {
    pub(super) fn new(inner: F, judge: Arc<Judge>, context: Option<RequestContext>) -> Self {
        Self { inner, judge, context, failed: None }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Into<BoxError>,
{
    type Output = Result<Response<ClassifyBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.failed.is_none() {
            let response = match ready!(this.inner.poll(cx)) {
                Ok(response) => response,
                Err(error) => {
                    let error = error.into();
                    note(this.context.as_ref(), this.judge.error(&*error));
                    return Poll::Ready(Err(error));
                }
            };
            if response.status().as_u16() < 400 {
                let verdict = this.judge.head(&response);
                note(this.context.as_ref(), verdict);
                let mut response = response.map(ClassifyBody::unread);
                if !verdict.is_success() {
                    response.extensions_mut().insert(verdict);
                }
                return Poll::Ready(Ok(response));
            }
            let (parts, body) = response.into_parts();
            *this.failed = Some(Box::pin(Reading::new(parts, body)));
        }
        let Some(reading) = this.failed else { return Poll::Pending };
        ready!(reading.as_mut().poll_read(cx));
        let Some(mut reading) = this.failed.take() else { return Poll::Pending };
        let Some(mut parts) = reading.as_mut().take_head() else { return Poll::Pending };
        let is_complete = reading.is_complete();
        let verdict = this.judge.failure(&parts, reading.unread(), is_complete);
        match this.context {
            Some(context) => {
                let mut call = context.call();
                call.judge(verdict);
                call.failed_body = is_complete.then(|| reading.unread().clone());
            }
            // Without a context the response is the only way to tell.
            None => {
                parts.extensions.insert(verdict);
            }
        }
        Poll::Ready(Ok(Response::from_parts(parts, ClassifyBody::read(reading))))
    }
}

fn note(context: Option<&RequestContext>, verdict: Verdict) {
    if let Some(context) = context {
        context.call().judge(verdict);
    }
}

impl<F, B: Body> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("classify::ResponseFuture")
    }
}
