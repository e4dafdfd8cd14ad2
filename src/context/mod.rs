//! The state of one request: its attempts, a pin, a deadline. It is found through the running task and the request's
//! extensions.
//!
//! This room holds plain data behind a lock that is held for a few instructions; it knows no pool and no layer, and decides
//! nothing. It is not an argument that is passed down, because layers of other crates may stand between ours: they move or drop
//! extensions, and clone requests. And it is not only a task-local, because spawned tasks and bodies run outside of it.

mod attempt;
mod current;
pub(crate) mod ending;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::Extensions;

pub use self::attempt::{Attempt, Next};
pub(crate) use self::attempt::{Call, Plan, Suspect, Unsettled, Used};
pub use self::current::Scoped;
pub(crate) use self::current::enter;
use crate::clock;
use crate::credentials::CredentialId;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Mutex, MutexGuard, lock};

/// A handle to the state of one request.
///
/// Every call through [`NotifyLayer`](crate::layers::notify::NotifyLayer) gets a context of its own, so that an outer retry or a
/// second call starts afresh. From a context that the caller put around the call, as a task-local or in the request's
/// extensions, it inherits the pin, the deadline, the group and the model; and the caller's context then shows the attempts
/// of the latest call made under it.
///
/// Code below the stack finds the context with [`RequestContext::current`], and with [`RequestContext::of`] where it is
/// [put into the extensions](crate::MarathonLayer::context_in_extensions). A spawned task inherits nothing: carry the handle
/// over with [`RequestContext::scope`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use oauth_marathon::RequestContext;
/// use std::time::Duration;
///
/// let context = RequestContext::new().with_pin("work").with_timeout(Duration::from_secs(20));
/// let pin = context.clone().scope(async {
///     let context = RequestContext::current().expect("set by scope");
///     // A spawned task starts without it, until it is carried over.
///     let task = tokio::spawn(context.scope(async { RequestContext::current().and_then(|c| c.pin().cloned()) }));
///     task.await.expect("not cancelled")
/// }).await;
/// assert_eq!(pin.expect("pinned"), "work");
/// assert!(context.attempts().is_empty());
/// # }
/// ```
#[derive(Clone)]
pub struct RequestContext(Arc<Inner>);

struct Inner {
    inherited: Inherited,
    /// True if a layer opened the context for one call; false if a caller made it for calls to come.
    opened: bool,
    /// Whether a layer above is able to send the request again.
    resendable: AtomicBool,
    /// Whether a layer above can name the model of the request after a failure that concerns one model.
    names_model: AtomicBool,
    /// Whether a stream's head has come and is held until its content begins.
    streams: AtomicBool,
    call: Mutex<Call>,
}

#[derive(Debug, Clone, Default)]
struct Inherited {
    pin: Option<CredentialId>,
    deadline: Option<Instant>,
    group: Option<Arc<str>>,
    model: Option<Arc<str>>,
}

impl RequestContext {
    /// A context for calls to come.
    #[must_use]
    pub fn new() -> Self {
        Self::make(Inherited::default(), false)
    }

    /// Uses this credential alone, and no other when it fails.
    #[must_use]
    pub fn with_pin(self, id: impl Into<CredentialId>) -> Self {
        Self::make(Inherited { pin: Some(id.into()), ..self.0.inherited.clone() }, false)
    }

    /// Neither waits nor starts another attempt after `deadline`. An attempt that is under way is not cut short.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        Self::make(Inherited { deadline: Some(deadline), ..self.0.inherited.clone() }, false)
    }

    /// A deadline this far from now. One that is too far to name is none.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let deadline = clock::now().checked_add(timeout);
        Self::make(Inherited { deadline, ..self.0.inherited.clone() }, false)
    }

    /// Names the group that the request belongs to, such as a conversation, for strategies.
    #[must_use]
    pub fn with_group(self, group: impl Into<Arc<str>>) -> Self {
        Self::make(Inherited { group: Some(group.into()), ..self.0.inherited.clone() }, false)
    }

    /// Names the model of the request, if neither its path nor its body does, or if limits go by another name. It takes
    /// precedence over every [`ModelSource`](crate::providers::model::ModelSource).
    #[must_use]
    pub fn with_model(self, model: impl Into<Arc<str>>) -> Self {
        Self::make(Inherited { model: Some(model.into()), ..self.0.inherited.clone() }, false)
    }

    /// The context of the running task; `None` outside of one, in spawned tasks and in response bodies.
    #[must_use]
    #[inline]
    pub fn current() -> Option<Self> {
        current::current()
    }

    /// The context in the extensions of a request, or of an answer that took more than one attempt.
    #[must_use]
    #[inline]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The attempts made so far, oldest first. A context that the caller made shows the attempts of the latest call under it.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let call = self.call();
        match call.latest() {
            Some(latest) => {
                let latest = latest.clone();
                drop(call);
                latest.attempts()
            }
            None => call.attempts().cloned().collect(),
        }
    }

    /// The credential of the latest attempt. For a service below the stack it is the one that carries the present request, so
    /// that the service can choose a proxy or a client by it.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::{BodyExt, Full};
    /// use oauth_marathon::{Credential, MarathonLayer, Pool, RequestContext, Secret};
    /// use std::convert::Infallible;
    /// use tower::{ServiceBuilder, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
    /// let pool = Pool::builder("openai")
    ///     .origin("https://api.example.com")
    ///     .credential(Credential::new("work", Secret::new("key")))
    ///     .build()?;
    /// let through_proxies = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
    ///     let credential = RequestContext::current().and_then(|context| context.credential());
    ///     let proxy = if credential.is_some_and(|id| id == "work") { "proxy-1" } else { "none" };
    ///     Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(proxy)))
    /// });
    /// let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(through_proxies);
    /// let answer = client.oneshot(http::Request::get("https://api.example.com/").body(Full::default())?).await?;
    /// assert_eq!(answer.into_body().collect().await?.to_bytes(), "proxy-1");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn credential(&self) -> Option<CredentialId> {
        self.attempts().pop()?.credential
    }

    /// How long until the first credential is expected to recover, as of the last attempt of this call.
    /// `None` if one was ready, or none will recover by itself.
    #[must_use]
    pub fn recovery(&self) -> Option<Duration> {
        match self.attempts().last()?.next? {
            Next::At(when) => Some(when.saturating_duration_since(clock::now())),
            _ => None,
        }
    }

    /// The credential that the request is pinned to.
    #[must_use]
    pub fn pin(&self) -> Option<&CredentialId> {
        self.0.inherited.pin.as_ref()
    }

    /// The time after which nothing new is begun.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.inherited.deadline
    }

    /// The group of the request.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.0.inherited.group.as_deref()
    }

    /// The model of the request, if [`with_model`](Self::with_model) has named it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.0.inherited.model.as_deref()
    }

    /// The name under which cooldowns of the request's model are kept. Empty while the model is unknown.
    pub(crate) fn model_name(&self) -> Arc<str> {
        let stated = self.0.inherited.model.clone();
        stated.or_else(|| self.call().model.clone()).unwrap_or_default()
    }

    /// Whether a failure has to wait until the layer that keeps the request names its model.
    pub(crate) fn awaits_model(&self) -> bool {
        self.0.names_model.load(Relaxed) && self.0.inherited.model.is_none() && self.call().model.is_none()
    }

    /// Runs `future` with this context as the current one, for example inside a spawned task.
    #[inline]
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped::new(Some(self), future)
    }

    /// Runs `f` with this context as the current one.
    #[inline]
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut place = Some(self.clone());
        let _entered = enter(&mut place);
        f()
    }

    /// The context that a layer works with: the one of the request, else the one of the task.
    #[inline]
    pub(crate) fn find(extensions: &Extensions) -> Option<Self> {
        Self::of(extensions).cloned().or_else(Self::current)
    }

    /// The context that a layer above has opened for this call. A layer that stands alone opens one for each call, and leaves
    /// it in the extensions for the layers below. It does not use the caller's own, where the attempts of several calls would
    /// mix.
    pub(crate) fn join(extensions: &mut Extensions) -> Self {
        if let Some(context) = Self::find(extensions).filter(|context| context.0.opened) {
            return context;
        }
        let context = Self::open(extensions);
        extensions.insert(context.clone());
        context
    }

    /// A context for one call, under the one that surrounds it, if any.
    pub(crate) fn open(extensions: &Extensions) -> Self {
        let Some(parent) = Self::find(extensions) else { return Self::make(Inherited::default(), true) };
        let call = Self::make(parent.0.inherited.clone(), true);
        if !parent.0.opened {
            parent.call().set_latest(call.clone());
        }
        call
    }

    /// Whether a layer opened it, for one call.
    #[cfg(feature = "reqwest")]
    pub(crate) fn is_opened(&self) -> bool {
        self.0.opened
    }

    /// Whether both are handles to the same state.
    #[cfg(feature = "reqwest")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Tells the layers below whether the request can be sent again.
    #[inline]
    pub(crate) fn set_resendable(&self, resendable: bool) {
        self.0.resendable.store(resendable, Relaxed);
    }

    /// Tells the layers above whether the head of a stream has come, so that only its content is missing.
    #[inline]
    pub(crate) fn set_streams(&self, streams: bool) {
        self.0.streams.store(streams, Relaxed);
    }

    #[inline]
    pub(crate) fn streams(&self) -> bool {
        self.0.streams.load(Relaxed)
    }

    /// Tells the layers below whether the model of the request will be named once a failure is about it.
    #[inline]
    pub(crate) fn set_names_model(&self, names_model: bool) {
        self.0.names_model.store(names_model, Relaxed);
    }

    pub(crate) fn is_resendable(&self) -> bool {
        self.0.resendable.load(Relaxed)
    }

    /// The state of the call. Held for a few instructions, never while foreign code runs.
    #[inline]
    pub(crate) fn call(&self) -> MutexGuard<'_, Call> {
        lock(&self.0.call)
    }

    fn make(inherited: Inherited, opened: bool) -> Self {
        let [resendable, names_model, streams] = [const { AtomicBool::new(false) }; 3];
        Self(Arc::new(Inner { inherited, opened, resendable, names_model, streams, call: Mutex::default() }))
    }
}

impl Default for RequestContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inherited { pin, deadline, group, model } = &self.0.inherited;
        f.debug_struct("RequestContext")
            .field("pin", pin)
            .field("deadline", deadline)
            .field("group", group)
            .field("model", model)
            .field("attempts", &self.attempts())
            .finish()
    }
}
