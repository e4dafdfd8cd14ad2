//! The decisions of [`RetryLayer`](super::RetryLayer) as a policy for [`tower::retry::Retry`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::retry::Policy;

use super::progress::{Go, Progress, Shared};
use super::spare::{is_idempotent, is_whole, model_of};
use crate::clock;
use crate::config::Settings;
use crate::context::RequestContext;
use crate::error::BoxError;
use crate::layers::replayable::ReplayableBody;
use crate::pool::Pool;
use crate::providers::model::Models;
use crate::sync::time::Sleep;
use crate::verdict::Scope;

/// A policy for [`tower::retry::RetryLayer`] that decides as [`RetryLayer`](super::RetryLayer) does.
///
/// It reads the same attempts from the [`RequestContext`], so a [`NotifyLayer`](crate::layers::notify::NotifyLayer) has to stand
/// above: without a context nothing is sent again. What tower's layer cannot do, it does not do either: the failed answer is
/// gone before a wait, so the caller gets the last answer or error and not the best answer; `attemptTimeoutMs` is not kept;
/// an error of readiness takes the place of an answer; and it waits for readiness past a deadline.
///
/// ```
/// use oauth_marathon::layers::classify::ClassifyLayer;
/// use oauth_marathon::layers::credential::CredentialLayer;
/// use oauth_marathon::layers::notify::NotifyLayer;
/// use oauth_marathon::layers::retry::RetryPolicy;
/// use oauth_marathon::{Credential, Pool, Secret};
/// # use http_body_util::Full;
/// # use bytes::Bytes;
/// use tower::retry::RetryLayer;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("limited")))
///     .credential(Credential::new("home", Secret::new("fresh")))
///     .build()?;
/// # let client = service_fn(async |request: http::Request<Full<Bytes>>| {
/// #     let limited = request.headers()["authorization"] == "Bearer limited";
/// #     http::Response::builder().status(if limited { 429 } else { 200 }).body(Full::new(Bytes::new()))
/// # });
/// let client = ServiceBuilder::new()
///     .layer(NotifyLayer::new())
///     .layer(RetryLayer::new(RetryPolicy::for_pool(&pool)))
///     .layer(CredentialLayer::new(pool))
///     .layer(ClassifyLayer::new())
///     .service(client);
/// let request = http::Request::post("https://api.example.com/v1/chat").body(Full::from("{}"))?;
/// assert_eq!(client.oneshot(request).await?.status(), 200);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RetryPolicy {
    shared: Arc<Shared>,
    /// The progress of the request that this clone of the policy is for.
    progress: Option<Progress>,
}

impl RetryPolicy {
    /// A policy that keeps to these settings. Its clones share one budget of resends.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)), progress: None }
    }

    /// See [`RetryLayer::for_pool`](super::RetryLayer::for_pool).
    #[must_use]
    pub fn for_pool(pool: &Pool) -> Self {
        Self { shared: Arc::new(Shared::for_pool(pool)), progress: None }
    }

    /// See [`RetryLayer::models`](super::RetryLayer::models).
    #[must_use]
    pub fn models(mut self, models: Models) -> Self {
        self.shared = Arc::new(self.shared.with_models(models));
        self
    }
}

impl<B, RB> Policy<Request<B>, Response<RB>, BoxError> for RetryPolicy
where
    B: ReplayableBody,
{
    type Future = Pause;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<RB>, BoxError>) -> Option<Pause> {
        let progress = self.progress.as_mut()?;
        let judged = progress.judged(result.as_ref().err());
        if progress.settled_at_once(judged) {
            return None;
        }
        let failed = judged.is_some_and(|verdict| !verdict.is_success());
        if judged.is_some_and(|verdict| verdict.scope() == Scope::Model) {
            progress.settle_model(|models| model_of(models, request.uri(), request.headers(), request.body()));
        }
        let go = if failed && is_whole(request.body()) { progress.go() } else { None };
        match go {
            Some(Go::Now) => Some(Pause { timer: None }),
            // Outside of a runtime there are no timers to wait with.
            Some(Go::At(when)) => clock::timer(when).map(|timer| Pause { timer: Some(timer) }),
            None => {
                progress.end();
                if let Ok(response) = result {
                    progress.report(response, judged.is_some_and(|verdict| verdict.is_server_error()));
                }
                None
            }
        }
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        let body = request.body().try_clone();
        if self.progress.is_none()
            && let Some(context) = RequestContext::find(request.extensions())
        {
            self.shared.offer(&context, body.is_some());
            self.shared.tell_model(&context, request);
            let idempotent = is_idempotent(request);
            self.progress = Some(Progress::new(self.shared.clone(), context, idempotent));
        }
        Some(copy(request, body?))
    }
}

/// A copy of a request's head, with another body.
fn copy<B>(request: &Request<B>, body: B) -> Request<B> {
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// The pause before another attempt. Without one, no timer is armed.
pub struct Pause {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(cx))
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pause").field("timer", &self.timer.is_some()).finish()
    }
}
