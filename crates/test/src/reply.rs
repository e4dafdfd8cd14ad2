//! The reply of a scripted provider to one request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::Semaphore;

use super::body::ScriptedBody;

/// The reply of a [`ScriptedProvider`](super::ScriptedProvider) to one request: an answer, a broken connection, or
/// nothing.
///
/// ```
/// use oauth_marathon_test::Reply;
/// use std::time::Duration;
///
/// let limited = Reply::limited(20).body("slow down");
/// let refused = Reply::status(403).header("x-request-id", "r1");
/// let late = Reply::ok().after(Duration::from_secs(3));
/// # let _ = (limited, refused, late);
/// ```
#[derive(Debug, Clone)]
pub struct Reply {
    what: What,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: ScriptedBody,
    after: Option<Duration>,
    gate: Option<Arc<Semaphore>>,
    yields: bool,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Status(StatusCode),
    Error(io::ErrorKind),
    Silence,
    Panic,
}

impl Reply {
    /// An empty answer with this status.
    ///
    /// # Panics
    /// If `status` is not from 100 to 999.
    #[must_use]
    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a script fails the test that holds it")]
    pub fn status(status: u16) -> Self {
        match StatusCode::from_u16(status) {
            Ok(status) => Self::new(What::Status(status)),
            Err(_) => panic!("{status} is not an HTTP status"),
        }
    }

    /// An empty answer with status 200.
    #[must_use]
    pub fn ok() -> Self {
        Self::new(What::Status(StatusCode::OK))
    }

    /// A rate limit: status 429, with a `Retry-After` of this many seconds.
    #[must_use]
    pub fn limited(seconds: u64) -> Self {
        Self::new(What::Status(StatusCode::TOO_MANY_REQUESTS)).header("retry-after", seconds.to_string())
    }

    /// A connection that breaks before an answer begins.
    #[must_use]
    pub fn connection_error() -> Self {
        Self::error(io::ErrorKind::ConnectionReset)
    }

    /// An error of this kind in place of an answer.
    #[must_use]
    pub fn error(kind: io::ErrorKind) -> Self {
        Self::new(What::Error(kind))
    }

    /// No answer ever.
    #[must_use]
    pub fn pending() -> Self {
        Self::new(What::Silence)
    }

    /// A panic in place of an answer, as from a client with a bug.
    #[must_use]
    pub fn panic() -> Self {
        Self::new(What::Panic)
    }

    /// Adds a header field.
    ///
    /// # Panics
    /// If the name or the value is not valid in HTTP.
    #[must_use]
    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a script fails the test that holds it")]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => self.headers.push((name, value)),
            _ => panic!("{name:?}: {:?} is not a header field", value.escape_ascii().to_string()),
        }
        self
    }

    /// Sets the body, which comes whole.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.stream(ScriptedBody::full(body))
    }

    /// Sets the body, which comes step by step.
    #[must_use]
    pub fn stream(mut self, body: ScriptedBody) -> Self {
        self.body = body;
        self
    }

    /// Delays the reply by this time on tokio's clock.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.after = Some(time);
        self
    }

    /// Delays the reply to the next poll, so that other tasks run in between.
    #[must_use]
    pub fn yielding(mut self) -> Self {
        self.yields = true;
        self
    }

    /// Holds the reply until the gate gives it a permit, which it keeps: `add_permits(1)` lets one reply through. The
    /// delay of [`after`](Reply::after) begins then.
    #[must_use]
    pub fn held(mut self, gate: Arc<Semaphore>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Waits as the reply says, and gives it.
    #[allow(clippy::panic, reason = "the script asks for it")]
    pub(super) async fn say(self) -> io::Result<Response<ScriptedBody>> {
        if self.yields {
            tokio::task::yield_now().await;
        }
        if let Some(gate) = self.gate
            && let Ok(permit) = gate.acquire().await
        {
            permit.forget();
        }
        if let Some(time) = self.after {
            tokio::time::sleep(time).await;
        }
        let status = match self.what {
            What::Status(status) => status,
            What::Error(kind) => return Err(io::Error::new(kind, "scripted: the connection broke")),
            What::Silence => std::future::pending().await,
            What::Panic => panic!("scripted: the client panics"),
        };
        let mut response = Response::new(self.body.opened());
        *response.status_mut() = status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        Ok(response)
    }

    fn new(what: What) -> Self {
        Self { what, headers: Vec::new(), body: ScriptedBody::default(), after: None, gate: None, yields: false }
    }
}
