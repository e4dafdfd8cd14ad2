use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::judge::Judge;
use super::provider::ProviderRules;
use super::service::Classify;
use super::{Classifier, StandardClassifier};
use crate::clock::{SystemClock, WallClock};

/// Judges what comes back, and notes the verdict for the layers above.
///
/// The verdict goes to the attempt's place in the [`RequestContext`](crate::RequestContext) and, for a failed answer, into the
/// extensions of the response. A failed answer's body is read to its end, up to 128 KiB and a quarter of a second: that
/// keeps the connection, tells what the provider says, and leaves a whole response to return. Every other body passes
/// through unread. Errors pass unchanged.
///
/// ```
/// use oauth_marathon::classify::ClassifyLayer;
/// use oauth_marathon::verdict::{Kind, Verdict};
/// # use http_body_util::Empty;
/// # use bytes::Bytes;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let client = ServiceBuilder::new().layer(ClassifyLayer::new()).service(service_fn(async |_: http::Request<()>| {
///     let answer = http::Response::builder().status(429).header("retry-after", "7").body(Empty::<Bytes>::new());
///     Ok::<_, std::convert::Infallible>(answer.expect("well-formed"))
/// }));
/// let answer = client.oneshot(http::Request::new(())).await.expect("infallible");
/// let verdict = answer.extensions().get::<Verdict>().expect("a failure");
/// assert_eq!(verdict.kind(), Kind::Throttled);
/// assert_eq!(verdict.retry_after().map(|time| time.as_secs()), Some(7));
/// # }
/// ```
#[derive(Clone)]
pub struct ClassifyLayer {
    judge: Arc<Judge>,
}

impl ClassifyLayer {
    /// Judges by the [`StandardClassifier`]; [`with`](Self::with) a provider's rules it knows more.
    #[must_use]
    pub fn new() -> Self {
        Self::build(Vec::new(), None, Arc::new(SystemClock))
    }

    /// Asks `classifier` first, and the standard one where it has no opinion.
    #[must_use]
    pub fn with(classifier: impl Classifier) -> Self {
        Self::build(vec![Arc::new(classifier)], None, Arc::new(SystemClock))
    }

    pub(crate) fn build(
        classifiers: Vec<Arc<dyn Classifier>>,
        rules: Option<ProviderRules>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        Self { judge: Arc::new(Judge { classifiers, rules, standard: StandardClassifier::new(), clock }) }
    }
}

impl Default for ClassifyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ClassifyLayer {
    type Service = Classify<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Classify::new(inner, self.judge.clone())
    }
}

impl fmt::Debug for ClassifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyLayer").field("judge", &self.judge).finish()
    }
}
