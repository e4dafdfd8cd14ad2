//! The script of a scripted provider, and its record of requests.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, Request};
use oauth_marathon::Secret;
use tokio::time::Instant;

use super::probe::Counters;
use super::reply::Reply;

/// A request that a [`ScriptedProvider`](super::ScriptedProvider) has received and recorded.
///
/// ```
/// use http_body_util::Full;
/// use oauth_marathon_test::ScriptedProvider;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let provider = ScriptedProvider::new();
/// let request = http::Request::post("/v1/chat").header("authorization", "Bearer t").body(Full::<bytes::Bytes>::from("{}"))?;
/// provider.clone().oneshot(request).await?;
/// let sent = &provider.requests()[0];
/// assert_eq!((sent.head.uri().path(), sent.token(), sent.body.as_deref()), ("/v1/chat", Some("t"), Some(&b"{}"[..])));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// The head of the request, as it arrived.
    pub head: Request<()>,
    /// The body of the request; `None` until it has been read to its end.
    pub body: Option<Bytes>,
    /// When it arrived.
    pub at: Instant,
    token: Option<Secret>,
}

impl Recorded {
    /// The token that the request carried, without its scheme.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Secret::expose)
    }
}

/// What all clones of a provider share.
#[derive(Debug)]
pub(super) struct Shared {
    headers: Vec<HeaderName>,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

type Answering = dyn Fn(&Recorded) -> Option<Reply> + Send + Sync;

#[derive(Default)]
pub(super) struct State {
    scripts: HashMap<String, Script>,
    next: VecDeque<Reply>,
    otherwise: Option<Reply>,
    answering: Option<Arc<Answering>>,
    recorded: Vec<Recorded>,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    always: Option<Reply>,
}

impl Shared {
    pub(super) fn reading(headers: Vec<HeaderName>) -> Self {
        Self { headers, counters: Arc::default(), state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Records a request. Returns its place in the record, and the reply.
    pub(super) fn record(&self, head: Request<()>) -> (usize, Reply) {
        let carried = self.headers.iter().find_map(|name| head.headers().get(name)?.to_str().ok());
        let token = carried.map(|value| Secret::from(value.rsplit(' ').next().unwrap_or_default()));
        let request = Recorded { head, body: None, at: Instant::now(), token };
        // Called outside of the lock, so that the closure may use the provider.
        let answering = self.state().answering.clone();
        let own = answering.and_then(|answer| answer(&request));
        let mut state = self.state();
        let reply = own.or_else(|| state.take(request.token())).unwrap_or_else(Reply::ok);
        state.recorded.push(request);
        (state.recorded.len() - 1, reply)
    }
}

impl State {
    pub(super) fn add(&mut self, token: &str, replies: impl IntoIterator<Item = Reply>) {
        self.script(token).replies.extend(replies);
    }

    pub(super) fn always(&mut self, token: &str, reply: Reply) {
        self.script(token).always = Some(reply);
    }

    pub(super) fn set(&mut self, token: &str, reply: Reply) {
        *self.script(token) = Script { replies: VecDeque::new(), always: Some(reply) };
    }

    pub(super) fn add_next(&mut self, reply: Reply) {
        self.next.push_back(reply);
    }

    pub(super) fn set_otherwise(&mut self, reply: Reply) {
        self.otherwise = Some(reply);
    }

    pub(super) fn set_answering(&mut self, answering: Arc<Answering>) {
        self.answering = Some(answering);
    }

    pub(super) fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }

    pub(super) fn set_body(&mut self, place: usize, body: Bytes) {
        if let Some(recorded) = self.recorded.get_mut(place) {
            recorded.body = Some(body);
        }
    }

    fn script(&mut self, token: &str) -> &mut Script {
        self.scripts.entry(token.to_owned()).or_default()
    }

    /// The next reply for this token.
    fn take(&mut self, token: Option<&str>) -> Option<Reply> {
        let script = token.and_then(|token| self.scripts.get_mut(token));
        let scripted = script.and_then(|script| script.replies.pop_front().or_else(|| script.always.clone()));
        scripted.or_else(|| self.next.pop_front()).or_else(|| self.otherwise.clone())
    }
}

/// Leaves the tokens out.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("scripts", &self.scripts.len())
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}
