//! The body of a scripted answer, frame by frame.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use oauth_marathon::BoxError;
use tokio::time::Sleep;

/// One step of a [`ScriptedBody`].
///
/// ```
/// use oauth_marathon_test::{BodyStep, Reply, ScriptedBody};
/// use std::time::Duration;
///
/// let stalls = [BodyStep::data("data: 1\n\n"), BodyStep::Pause(Duration::from_secs(9)), BodyStep::Stall];
/// let reply = Reply::ok().header("content-type", "text/event-stream").stream(ScriptedBody::new(stalls));
/// # let _ = reply;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BodyStep {
    /// A frame of data.
    Data(Bytes),
    /// A frame of trailers.
    Trailers(HeaderMap),
    /// The connection breaks.
    Error,
    /// Pending at the first poll; the next step follows at the second.
    Yield,
    /// Pending for this time on tokio's clock.
    Pause(Duration),
    /// Pending for ever.
    Stall,
}

impl BodyStep {
    /// A step that yields a frame of data.
    pub fn data(data: impl Into<Bytes>) -> Self {
        Self::Data(data.into())
    }
}

/// The body of an answer, step by step: chunks, pauses, trailers, a connection that breaks in the middle.
///
/// ```
/// use http_body_util::{BodyExt, Full};
/// use oauth_marathon_test::{BodyStep, Reply, ScriptedBody, ScriptedProvider};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let broken = ScriptedBody::new([BodyStep::data("Hel"), BodyStep::Error]);
/// let watch = broken.watch();
/// let provider = ScriptedProvider::new().then(Reply::ok().stream(broken));
/// let mut body = provider.oneshot(http::Request::new(Full::<bytes::Bytes>::default())).await?.into_body();
/// assert_eq!(body.frame().await.expect("a frame")?.into_data().expect("data"), "Hel");
/// assert!(body.frame().await.expect("an error").is_err());
/// drop(body);
/// assert_eq!((watch.frames_taken(), watch.open()), (2, 0));
/// # Ok(()) }
/// ```
///
/// Its error says "scripted: the body broke off".
pub struct ScriptedBody {
    steps: VecDeque<BodyStep>,
    states_length: bool,
    tells_end: bool,
    pause: Option<Pin<Box<Sleep>>>,
    counts: Arc<Counts>,
    counted: bool,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicUsize,
    open: AtomicUsize,
}

/// A handle that shows how far a [`ScriptedBody`] has been read, and whether it still exists; made by
/// [`ScriptedBody::watch`].
#[derive(Debug, Clone)]
pub struct BodyWatch(Arc<Counts>);

impl BodyWatch {
    /// How many frames and errors of the body have been read.
    #[must_use]
    pub fn frames_taken(&self) -> usize {
        self.0.taken.load(Relaxed)
    }

    /// How many answers with this body exist.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Relaxed)
    }
}

impl ScriptedBody {
    /// A body that goes through these steps. It ends after the last one.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = BodyStep>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            states_length: false,
            tells_end: false,
            pause: None,
            counts: Arc::default(),
            counted: false,
        }
    }

    /// A body of one frame, with a known length, that reports its end as soon as the frame is read. It has no frame if
    /// `data` is empty.
    #[must_use]
    pub fn full(data: impl Into<Bytes>) -> Self {
        let data = data.into();
        let frame = (!data.is_empty()).then(|| BodyStep::Data(data));
        Self::new(frame).stating_its_length().telling_its_end()
    }

    /// Lets `size_hint` state the length of all data from the start.
    #[must_use]
    pub fn stating_its_length(mut self) -> Self {
        self.states_length = true;
        self
    }

    /// Lets `is_end_stream` report the end as soon as the last frame is read. Other bodies report it only at the poll
    /// after that.
    #[must_use]
    pub fn telling_its_end(mut self) -> Self {
        self.tells_end = true;
        self
    }

    /// A handle that watches this body and its clones.
    #[must_use]
    pub fn watch(&self) -> BodyWatch {
        BodyWatch(self.counts.clone())
    }

    /// The body for one answer, counted while it exists.
    pub(super) fn opened(mut self) -> Self {
        self.counts.open.fetch_add(1, Relaxed);
        self.counted = true;
        self
    }
}

impl Default for ScriptedBody {
    /// An empty body.
    fn default() -> Self {
        Self::full(Bytes::new())
    }
}

/// A clone begins at the step of the original, after its pause if it is in one.
impl Clone for ScriptedBody {
    fn clone(&self) -> Self {
        Self {
            steps: self.steps.clone(),
            states_length: self.states_length,
            tells_end: self.tells_end,
            pause: None,
            counts: self.counts.clone(),
            counted: false,
        }
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        if self.counted {
            self.counts.open.fetch_sub(1, Relaxed);
        }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let frame = match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(BodyStep::Stall) => {
                    self.steps.push_front(BodyStep::Stall);
                    return Poll::Pending;
                }
                Some(BodyStep::Yield) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(BodyStep::Pause(time)) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(time)));
                    continue;
                }
                Some(BodyStep::Data(data)) => Ok(Frame::data(data)),
                Some(BodyStep::Trailers(trailers)) => Ok(Frame::trailers(trailers)),
                Some(BodyStep::Error) => Err("scripted: the body broke off".into()),
            };
            self.counts.taken.fetch_add(1, Relaxed);
            return Poll::Ready(Some(frame));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |step: &BodyStep| if let BodyStep::Data(data) = step { data.len() as u64 } else { 0 };
        if self.states_length { SizeHint::with_exact(self.steps.iter().map(length).sum()) } else { SizeHint::new() }
    }
}

impl fmt::Debug for ScriptedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptedBody({} steps)", self.steps.len())
    }
}
