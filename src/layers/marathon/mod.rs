//! All layers in the right order, as one layer.
//!
//! It builds each layer from the pool's settings and contains no rule of its own. It exists because the order matters, and
//! because most users want the whole stack with one line.

mod body;
mod future;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::MarathonBody;
pub use self::future::ResponseFuture;
use crate::error::BoxError;
use crate::layers::check::CloneService;
use crate::layers::classify::{Classify, ClassifyLayer};
use crate::layers::credential::{CredentialLayer, CredentialService};
use crate::layers::notify::{Notify, NotifyLayer};
use crate::layers::replayable::ReplayableBody;
use crate::layers::retry::{Retry, RetryLayer};
use crate::pool::Pool;
use crate::providers::failures::ProviderRules;
use crate::verdict::Classifier;

/// Keeps a request running across the credentials of a pool: notify, retry, credential and classify, in this order.
///
/// It stands over anything that is a `Service` of HTTP requests. Settings and notifiers are the pool's. The request body is
/// a [`ReplayableBody`], such as `Full` or `Empty`; put a [`ReplayLayer`](crate::layers::replay::ReplayLayer) above for others.
///
/// ```
/// use oauth_marathon::{Credential, MarathonLayer, Pool, Secret};
/// # use http_body_util::Full;
/// # use bytes::Bytes;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("limited")))
///     .credential(Credential::new("home", Secret::new("fresh")))
///     .build()?;
/// let client = service_fn(async |request: http::Request<Full<Bytes>>| {
///     let limited = request.headers()["authorization"] == "Bearer limited";
///     let answer = http::Response::builder().status(if limited { 429 } else { 200 });
///     answer.body(Full::new(Bytes::from("hello")))
/// });
/// let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client);
/// let request = http::Request::post("https://api.example.com/v1/chat").body(Full::from("{}"))?;
/// assert_eq!(client.oneshot(request).await?.status(), 200);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MarathonLayer {
    notify: NotifyLayer,
    retry: RetryLayer,
    credential: CredentialLayer,
    classifiers: Vec<SharedClassifier>,
    rules: ProviderRules,
    classify: ClassifyLayer,
    pool: Pool,
}

impl MarathonLayer {
    /// The whole stack over the credentials of `pool`.
    ///
    /// Failed answers are judged by the rules of the pool's provider. They are found by its id, else by its origins.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        let rules = ProviderRules::for_provider_at(pool.provider(), pool.origins());
        Self {
            notify: NotifyLayer::with_notifiers(pool.notifiers().clone()).context_in_extensions(false),
            retry: RetryLayer::for_pool(&pool),
            credential: CredentialLayer::new(pool.clone()),
            classifiers: Vec::new(),
            classify: ClassifyLayer::build(Vec::new(), Some(rules.clone()), pool.wall().clone())
                .hold_streams(pool.settings().stream_hold)
                .stream_idle_timeout(pool.settings().stream_idle_timeout),
            rules,
            pool,
        }
    }

    /// Asks `classifier` before the provider's rules. If several are added, they are asked in the order of their addition.
    #[must_use]
    pub fn classifier(mut self, classifier: impl Classifier) -> Self {
        self.classifiers.push(SharedClassifier(Arc::new(classifier)));
        self.build_classify()
    }

    /// Judges by these rules, in place of the rules that belong to the pool's provider.
    #[must_use]
    pub fn rules(mut self, rules: ProviderRules) -> Self {
        self.rules = rules;
        self.build_classify()
    }

    fn build_classify(mut self) -> Self {
        let classifiers = self.classifiers.iter().map(|classifier| classifier.0.clone()).collect();
        self.classify = ClassifyLayer::build(classifiers, Some(self.rules.clone()), self.pool.wall().clone())
            .hold_streams(self.pool.settings().stream_hold)
            .stream_idle_timeout(self.pool.settings().stream_idle_timeout);
        self
    }

    /// Whether the context is put into the extensions of every request. By default it is put there only if the request has
    /// other extensions, because an extension map costs three allocations for each attempt. The service below then finds the
    /// context as [the task's own](crate::RequestContext::current). Set `true` if that service works in another task, for
    /// example behind a `Buffer`.
    #[must_use]
    pub fn context_in_extensions(mut self, always: bool) -> Self {
        self.notify = self.notify.context_in_extensions(always);
        self
    }

    /// See [`CredentialLayer::pass_other_origins`].
    #[must_use]
    pub fn pass_other_origins(mut self, pass: bool) -> Self {
        self.credential = self.credential.pass_other_origins(pass);
        self
    }
}

impl<S> Layer<S> for MarathonLayer {
    type Service = Marathon<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let inner = self.credential.layer(self.classify.layer(inner));
        Marathon { stack: self.notify.layer(self.retry.layer(inner)) }
    }
}

#[derive(Clone)]
struct SharedClassifier(Arc<dyn Classifier>);

impl std::fmt::Debug for SharedClassifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Classifier")
    }
}

type Stack<S> = Notify<Retry<CredentialService<Classify<S>>>>;

/// The service of [`MarathonLayer`].
#[derive(Debug, Clone)]
pub struct Marathon<S> {
    stack: Stack<S>,
}

made_by_layer!(Marathon, MarathonLayer::new(pool: Pool));

impl<S> Marathon<S> {
    /// Sends a request on a clone of this service, once that is ready: `poll_ready` and `call` in one.
    ///
    /// The future holds all that it needs, and can be spawned. Dropping it cancels the request.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use oauth_marathon::{Credential, Marathon, Pool, Secret};
    /// use oauth_marathon_test::{Reply, ScriptedProvider};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
    /// let pool = Pool::builder("openai")
    ///     .origin("https://api.example.com")
    ///     .credential(Credential::new("work", Secret::new("t-work")))
    ///     .credential(Credential::new("home", Secret::new("t-home")))
    ///     .build()?;
    /// let client = Marathon::new(ScriptedProvider::new().on("t-work", [Reply::limited(20)]), pool);
    /// let request = http::Request::post("https://api.example.com/v1/chat").body(Full::<Bytes>::from("{}"))?;
    /// assert_eq!(client.send(request.clone()).await?.status(), 200);
    /// assert_eq!(tokio::spawn(client.send(request)).await??.status(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Only if nothing was answered: what the client failed with, or an [`Error`](crate::Error) of this crate.
    pub fn send<B, RB>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<MarathonBody<RB>>, BoxError>> + use<S, B, RB>
    where
        B: ReplayableBody,
        S: CloneService + Service<Request<B>, Response = Response<RB>, Error: Into<BoxError>>,
        RB: Body<Error: Into<BoxError>>,
    {
        let mut service = self.clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        self.stack.get_ref().get_ref().get_ref().get_ref()
    }

    /// The inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        self.stack.get_mut().get_mut().get_mut().get_mut()
    }

    /// The inner service, without the stack.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stack.into_inner().into_inner().into_inner().into_inner()
    }
}

impl<S, B, RB> Service<Request<B>> for Marathon<S>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    S::Error: Into<BoxError>,
    B: ReplayableBody,
    RB: Body,
    RB::Error: Into<BoxError>,
{
    type Response = Response<MarathonBody<RB>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::new(self.stack.call(request))
    }
}
