//! What a scripted provider says to one request.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// What a [`ScriptedProvider`](super::ScriptedProvider) says to one request: an answer, a broken connection, or nothing.
///
/// ```
/// use oauth_marathon::testing::Reply;
/// use std::time::Duration;
///
/// let limited = Reply::status(429).header("retry-after", "20").body("slow down");
/// let late = Reply::ok().after(Duration::from_secs(3));
/// # let _ = (limited, late);
/// ```
#[derive(Debug, Clone)]
pub struct Reply {
    what: What,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    after: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Status(StatusCode),
    Error(io::ErrorKind),
    Silence,
}

impl Reply {
    /// An empty answer with this status.
    ///
    /// # Panics
    /// If it is no status (100 to 999).
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

    /// A connection that breaks before an answer begins.
    #[must_use]
    pub fn connection_error() -> Self {
        Self::new(What::Error(io::ErrorKind::ConnectionReset))
    }

    /// No answer, for ever.
    #[must_use]
    pub fn pending() -> Self {
        Self::new(What::Silence)
    }

    /// Adds a header field.
    ///
    /// # Panics
    /// If the name or the value cannot be sent.
    #[must_use]
    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a script fails the test that holds it")]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => self.headers.push((name, value)),
            _ => panic!("{name:?}: {value:?} is not a header field"),
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Says it only after this time on tokio's clock.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.after = Some(time);
        self
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        self.after
    }

    /// What the caller gets; `None` is nothing, for ever.
    pub(super) fn say(&self) -> Option<io::Result<Response<Full<Bytes>>>> {
        let status = match self.what {
            What::Status(status) => status,
            What::Error(kind) => return Some(Err(io::Error::new(kind, "scripted: the connection broke"))),
            What::Silence => return None,
        };
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = status;
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        Some(Ok(response))
    }

    fn new(what: What) -> Self {
        Self { what, headers: Vec::new(), body: Bytes::new(), after: None }
    }
}
