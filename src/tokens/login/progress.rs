//! What a login reports while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::shielded;

/// A step of a login, for people: no variant holds a secret. `Display` prints one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The login waits for the browser's answer, or for the confirmation on another device.
    Waiting {
        /// The longest time that it waits.
        at_most: Duration,
    },
    /// Something came to the callback that is not the answer to this login. The login goes on.
    CallbackRefused(CallbackRefusal),
    /// The browser's answer is here; its code is being exchanged for tokens.
    Exchanging,
    /// The device has not been confirmed yet.
    Pending {
        /// When the server is asked again.
        next_in: Duration,
    },
    /// The server asked for a longer pause between polls.
    SlowedDown {
        /// The pause from now on.
        interval: Duration,
    },
    /// The server could not be reached, or fails; it is polled again.
    Trouble {
        /// What went wrong.
        message: String,
        /// When the server is asked again.
        next_in: Duration,
    },
    /// The tokens are here, but whose they are is unknown.
    SubjectUnknown {
        /// Why it is unknown.
        message: String,
    },
}

/// Why a request to the callback was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallbackRefusal {
    /// Its `Host` is not the host of the redirect URI: DNS rebinding, or a mistake.
    ForeignHost,
    /// It comes from a page of another origin.
    ForeignOrigin,
    /// It has no `state`.
    MissingState,
    /// Its `state` is not the one of this login.
    WrongState,
    /// It has neither a code nor an error, or one of its parameters twice.
    Malformed,
    /// The login already has another answer.
    Replayed,
}

impl CallbackRefusal {
    /// The reason as one sentence for people.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::ForeignHost => "The request was addressed to another host name than this login uses.",
            Self::ForeignOrigin => "The request came from a page of another origin.",
            Self::MissingState => "The answer lacks the state of this login.",
            Self::WrongState => "The answer belongs to another login.",
            Self::Malformed => "The answer has no code and no error, or says something twice.",
            Self::Replayed => "This login has already had an answer.",
        }
    }
}

impl fmt::Display for CallbackRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { at_most } => write!(f, "Waiting for the login, at most {}.", Seconds(*at_most)),
            Self::CallbackRefused(refusal) => write!(f, "Refused a request to the callback. {refusal}"),
            Self::Exchanging => f.write_str("Exchanging the code for tokens."),
            Self::Pending { next_in } => write!(f, "Not confirmed yet; asking again in {}.", Seconds(*next_in)),
            Self::SlowedDown { interval } => {
                write!(f, "The server asks for patience; asking every {}.", Seconds(*interval))
            }
            Self::Trouble { message, next_in } => write!(f, "{message}; asking again in {}.", Seconds(*next_in)),
            Self::SubjectUnknown { message } => write!(f, "Logged in, but it is not known as whom: {message}."),
        }
    }
}

/// A time for people, in whole seconds.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} s", self.0.as_secs_f64())
    }
}

type Report = dyn Fn(&Progress) + Send + Sync;

/// The user's function that gets each step. A panic in it costs only that report.
#[derive(Clone, Default)]
pub(super) struct Reporter(Option<Arc<Report>>);

impl Reporter {
    pub(super) fn new(report: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    pub(super) fn report(&self, progress: Progress) {
        let _ = shielded(|| tracing::debug!(target: "oauth_marathon::tokens::login", "{progress}"));
        if let Some(report) = &self.0 {
            let _ = shielded(|| report(&progress));
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}
