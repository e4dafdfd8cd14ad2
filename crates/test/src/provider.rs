//! A provider in the same process that answers by script.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderName, Request, Response};
use http_body::Body;
use oauth_marathon::BoxError;
use tower_service::Service;

use super::body::ScriptedBody;
use super::probe::{Counters, ProbeCounts};
use super::provider_script::{Recorded, Shared};
use super::reply::Reply;
use super::reply_future::ReplyFuture;

/// A service that answers by script: each token has a script of its own, and its n-th call gets the n-th reply. Clones
/// share the scripts and the record.
///
/// A request gets the first of these replies that there is:
///
/// 1. what [`answering`](ScriptedProvider::answering) makes of the request;
/// 2. the next one in the script of its token, given to [`on`](ScriptedProvider::on);
/// 3. what its token [always](ScriptedProvider::always) gets after that;
/// 4. the next one of those that [any token](ScriptedProvider::then) gets;
/// 5. the [default](ScriptedProvider::otherwise), which is an empty 200.
///
/// Each request is read to its end before it is answered, and recorded. A call on an instance that was not polled ready
/// panics, as it may with the services of a real stack; a clone starts out unready.
///
/// ```
/// use http_body_util::Full;
/// use oauth_marathon_test::{Reply, ScriptedProvider};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let provider = ScriptedProvider::new()
///     .answering(|request| (request.head.uri().path() == "/models").then(|| Reply::ok().body("[]")))
///     .on("t", [Reply::status(503)])
///     .always("t", Reply::status(429));
/// let send = async |path: &str| {
///     let request = http::Request::get(path).header("authorization", "Bearer t").body(Full::<bytes::Bytes>::default())?;
///     Ok::<_, oauth_marathon::BoxError>(provider.clone().oneshot(request).await?.status().as_u16())
/// };
/// let answers = [send("/chat").await?, send("/models").await?, send("/chat").await?, send("/chat").await?];
/// assert_eq!(answers, [503, 200, 429, 429]);
/// assert_eq!((provider.tokens().len(), provider.counts().completed), (4, 4));
/// # Ok(()) }
/// ```
pub struct ScriptedProvider {
    shared: Arc<Shared>,
    readiness: Readiness,
    state: State,
}

/// When an instance becomes ready.
#[derive(Debug, Clone, Copy)]
struct Readiness {
    polls_in_vain: usize,
    fails_after: usize,
    never_after: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Polled { in_vain: usize },
    Ready,
    Failed,
}

impl ScriptedProvider {
    /// A provider that reads tokens from `authorization`, or else from `x-api-key`, and answers 200 to all.
    #[must_use]
    pub fn new() -> Self {
        Self::reading_any(vec![AUTHORIZATION, HeaderName::from_static("x-api-key")])
    }

    /// A provider that reads tokens from this header alone, such as `x-goog-api-key`.
    #[must_use]
    pub fn reading(header: HeaderName) -> Self {
        Self::reading_any(vec![header])
    }

    fn reading_any(headers: Vec<HeaderName>) -> Self {
        let readiness = Readiness { polls_in_vain: 0, fails_after: usize::MAX, never_after: usize::MAX };
        Self { shared: Arc::new(Shared::reading(headers)), readiness, state: State::Polled { in_vain: 0 } }
    }

    /// Adds replies to the script of the requests that carry this token.
    #[must_use]
    pub fn on(self, token: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.shared.state().add(token, replies);
        self
    }

    /// Sets the reply that this token gets each time once its script is over.
    #[must_use]
    pub fn always(self, token: &str, reply: Reply) -> Self {
        self.shared.state().always(token, reply);
        self
    }

    /// Changes the script in the middle of a test: from now on this token gets this reply each time, and what is left of its
    /// script is dropped.
    pub fn set(&self, token: &str, reply: Reply) {
        self.shared.state().set(token, reply);
    }

    /// Adds a reply for the next request whose token has no script.
    #[must_use]
    pub fn then(self, reply: Reply) -> Self {
        self.shared.state().add_next(reply);
        self
    }

    /// Sets the reply for requests that no script answers.
    #[must_use]
    pub fn otherwise(self, reply: Reply) -> Self {
        self.shared.state().set_otherwise(reply);
        self
    }

    /// Lets `answer` answer before all scripts; `None` leaves the request to them. The request's body has not been read
    /// yet.
    #[must_use]
    pub fn answering(self, answer: impl Fn(&Recorded) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.shared.state().set_answering(Arc::new(answer));
        self
    }

    /// Lets an instance be ready late: before each call, so many polls are pending first.
    #[must_use]
    pub fn ready_late(mut self, polls: usize) -> Self {
        self.readiness.polls_in_vain = polls;
        self
    }

    /// Lets readiness fail after this many calls, with the error "scripted: the service is broken". An instance that is
    /// polled again after that panics.
    #[must_use]
    pub fn readiness_fails_after(mut self, calls: usize) -> Self {
        self.readiness.fails_after = calls;
        self
    }

    /// Lets no instance become ready after this many calls.
    #[must_use]
    pub fn never_ready_after(mut self, calls: usize) -> Self {
        self.readiness.never_after = calls;
        self
    }

    /// The requests so far, in the order of the calls.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().recorded().to_vec()
    }

    /// The token of each request so far; empty for a request without one.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let state = self.shared.state();
        state.recorded().iter().map(|request| request.token().unwrap_or_default().to_owned()).collect()
    }

    /// The counts of calls: begun, under way, completed and dropped.
    #[must_use]
    pub fn counts(&self) -> ProbeCounts {
        self.shared.counters().counts()
    }
}

impl Default for ScriptedProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for ScriptedProvider {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), readiness: self.readiness, state: State::Polled { in_vain: 0 } }
    }
}

impl fmt::Debug for ScriptedProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedProvider").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for ScriptedProvider
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<ScriptedBody>;
    type Error = io::Error;
    type Future = ReplyFuture<B>;

    #[allow(clippy::panic, reason = "a poll after an error is a bug that a test is to show")]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let calls = self.counts().calls;
        let in_vain = match self.state {
            State::Failed => panic!("the service was polled after its readiness had failed"),
            _ if calls >= self.readiness.fails_after => {
                self.state = State::Failed;
                return Poll::Ready(Err(io::Error::other("scripted: the service is broken")));
            }
            _ if calls >= self.readiness.never_after => {
                self.state = State::Polled { in_vain: 0 };
                return Poll::Pending;
            }
            State::Ready => return Poll::Ready(Ok(())),
            State::Polled { in_vain } => in_vain,
        };
        if in_vain < self.readiness.polls_in_vain {
            self.state = State::Polled { in_vain: in_vain + 1 };
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.state = State::Ready;
        Poll::Ready(Ok(()))
    }

    #[allow(clippy::panic, reason = "a call without readiness is a bug that a test is to show")]
    fn call(&mut self, request: Request<B>) -> ReplyFuture<B> {
        if !matches!(self.state, State::Ready) {
            panic!("the service was called without having been polled ready");
        }
        self.state = State::Polled { in_vain: 0 };
        let guard = Counters::begin(self.shared.counters());
        let (head, body) = request.into_parts();
        let (place, reply) = self.shared.record(Request::from_parts(head, ()));
        ReplyFuture::new(body, place, self.shared.clone(), reply, guard)
    }
}
