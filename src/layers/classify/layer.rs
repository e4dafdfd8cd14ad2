use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::judge::Judge;
use super::service::Classify;
use crate::clock::{SystemClock, WallClock};
use crate::providers::failures::ProviderRules;
use crate::verdict::{Classifier, StandardClassifier};

/// The default of `streamHoldMs`.
const HOLD: Duration = Duration::from_secs(30);

/// The default of `streamIdleTimeoutMs`.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Judges what comes back, and notes the verdict for the layers above.
///
/// The verdict goes to the attempt's place in the [`RequestContext`](crate::RequestContext) and, for a failed answer, into the
/// extensions of the response. A failed answer's body is read to its end, up to 128 KiB and a quarter of a second: that
/// keeps the connection, tells what the provider says, and leaves a whole response to return. Errors pass unchanged.
///
/// A body that is [silent for too long](Self::stream_idle_timeout) ends with an error, as if its connection had broken.
///
/// # Streams
///
/// A 2xx that streams can still be a failure, which shows in its first event. So the head of `text/event-stream`,
/// `application/x-ndjson`, `application/jsonl`, and of the JSON array that `:streamGenerateContent` sends, is held until an event
/// that means something:
///
/// - *content*: the stream is a success and goes to the caller, from its first byte on. Content is what the model has made:
///   text, reasoning, the name of a tool. An unknown event counts as content.
/// - *an error*: the answer has failed like one with an error status. What came is passed on unchanged if it is the best answer.
/// - *an end*: a stream that breaks off before its content is a broken connection; one that stops there in a dialect whose
///   streams say when they are complete is a server error. Any other end is a success.
///
/// The stream is held while only keep-alives, events that announce an answer (`response.created`, `message_start`, an
/// empty block, a chunk that holds a role alone) and events about limits come: up to 256 KiB, 64 events, and [a
/// time](Self::hold_streams). A stream that reaches one of these bounds counts as a success so far.
///
/// After that nothing is held, and nothing can be sent again. What follows passes through, and is only searched for an
/// error and for the end of the stream. Compressed bodies pass unread, as does every other body.
///
/// ```
/// use oauth_marathon::layers::classify::ClassifyLayer;
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

    /// Asks `classifier` first, and the standard one if it has no verdict.
    #[must_use]
    pub fn with(classifier: impl Classifier) -> Self {
        Self::build(vec![Arc::new(classifier)], None, Arc::new(SystemClock))
    }

    /// Holds streams for at most `longest` from their head on, 30 s by default, and never beyond the deadline of the request.
    /// Zero holds none.
    ///
    /// The caller has no head while a stream is held, so this should be shorter than the caller's patience.
    #[must_use]
    pub fn hold_streams(mut self, longest: Duration) -> Self {
        Arc::make_mut(&mut self.judge).hold = longest;
        self
    }

    /// Ends a body that has been silent for this long, 10 min by default; `None` waits for ever. The time counts while the
    /// caller waits for the body, be it a stream, a plain answer or a failed one. A stream that is still held then has failed;
    /// any other body ends with an error of the kind [`StreamIdleTimeout`](crate::ErrorKind::StreamIdleTimeout).
    #[must_use]
    pub fn stream_idle_timeout(mut self, longest: Option<Duration>) -> Self {
        Arc::make_mut(&mut self.judge).idle = longest;
        self
    }

    pub(crate) fn build(
        classifiers: Vec<Arc<dyn Classifier>>,
        rules: Option<ProviderRules>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        let standard = StandardClassifier::new();
        Self { judge: Arc::new(Judge { classifiers, rules, standard, clock, hold: HOLD, idle: Some(IDLE) }) }
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
        Classify::over(inner, self.judge.clone())
    }
}

impl fmt::Debug for ClassifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyLayer").field("judge", &self.judge).finish()
    }
}

made_by_layer!(Classify, ClassifyLayer::new());
