//! The time limits of the settings, and the report that one of them has run out.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::serialized::milliseconds;

/// One of the time limits of the [`Settings`](crate::config::Settings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeLimit {
    /// `connectTimeoutMs`: how long connecting may take.
    Connect,
    /// `attemptTimeoutMs`: how long the head of an answer may take.
    Attempt,
    /// `streamIdleTimeoutMs`: how long the body of an answer may be silent.
    StreamIdle,
}

/// A time limit that has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct TimedOut {
    /// The time limit.
    pub limit: TimeLimit,
    /// How long it was.
    #[serde(rename = "afterMs", with = "milliseconds")]
    pub after: Duration,
}

impl TimeLimit {
    /// The key of the setting, such as `attemptTimeoutMs`.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Connect => "connectTimeoutMs",
            Self::Attempt => "attemptTimeoutMs",
            Self::StreamIdle => "streamIdleTimeoutMs",
        }
    }

    pub(crate) fn ran_out(self, after: Duration) -> TimedOut {
        TimedOut { limit: self, after }
    }
}

/// As the key of its setting.
impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// Says what did not happen in time, with the key and the value of the setting.
impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.limit {
            TimeLimit::Connect => "no connection was made within",
            TimeLimit::Attempt => "no answer began within",
            TimeLimit::StreamIdle => "the body of the answer was silent for",
        };
        write!(f, "{what} {} ({} ms)", self.limit.key(), self.after.as_millis())
    }
}
