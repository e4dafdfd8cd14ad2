//! One error type for everything that this crate itself can fail at.
//!
//! The room imports no other (`serialized` is none), so that every other may use its error. It holds the time limits, because an error names
//! the one that ran out, and the walk along an error's sources.

mod chain;
mod time_limit;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub(crate) use self::chain::{chain, with_causes};
pub use self::time_limit::{TimeLimit, TimedOut};

/// The error of a tower stack: any error, boxed. Ours is found in it with [`Error::find`].
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// An error of this crate: what went wrong before any provider answered, or while a pool was being built.
///
/// An answer of the provider, of whatever status, is never an error.
///
/// Its `Debug` text is for people too, because it is what Rust prints for an error that `main` returns: the message, and
/// below it what caused it.
///
/// ```
/// use oauth_marathon::{Error, ErrorKind, Pool};
///
/// let error = Pool::builder("openai").origin("https://api.example.com/v1").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert!(error.to_string().contains("https://api.example.com"));
/// ```
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    timed_out: Option<TimedOut>,
    source: Option<BoxError>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, an origin or a credential is malformed. The message names the place and the remedy.
    Config,
    /// The pool holds no credential that could be used now or later.
    NoCredential,
    /// The credential that was asked for by id is not in the pool.
    UnknownCredential,
    /// Every credential is cooling down; [`Error::retry_after`] says for how long.
    AllCooling,
    /// The credential must be logged in again by a person.
    LoginNeeded,
    /// The access token had expired and could not be refreshed for now.
    Refresh,
    /// The request is addressed to an origin that the pool's credentials must not be sent to.
    ForeignOrigin,
    /// A bundled client could not connect within `connectTimeoutMs`.
    ConnectTimeout,
    /// No answer began within `attemptTimeoutMs`, or the deadline of the request passed while its token was being
    /// refreshed.
    AttemptTimeout,
    /// The body of an answer was silent for `streamIdleTimeoutMs`.
    StreamIdleTimeout,
    /// The head of an answer is larger than a bundled client reads.
    HeadTooLarge,
    /// The pool has been shut down.
    Closed,
    /// The store could not be read or written, or refused the call. The message says why.
    Store,
    /// The store holds something that cannot be understood. It is not overwritten.
    StoreCorrupt,
    /// The store was written by a later version of this crate, and is only read.
    StoreVersion,
    /// The store is open to others or belongs to another user: a link, a wide mode, a foreign owner.
    StoreExposed,
    /// Another process kept the store locked for too long.
    StoreBusy,
    /// The store cannot do what was asked.
    StoreUnsupported,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, timed_out: None, source: None }
    }

    /// The error by which a time limit ends an attempt or a body.
    pub(crate) fn of_time_limit(timed_out: TimedOut) -> Self {
        let kind = match timed_out.limit {
            TimeLimit::Connect => ErrorKind::ConnectTimeout,
            TimeLimit::Attempt => ErrorKind::AttemptTimeout,
            TimeLimit::StreamIdle => ErrorKind::StreamIdleTimeout,
        };
        Self { timed_out: Some(timed_out), ..Self::new(kind, timed_out.to_string()) }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    #[must_use]
    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How long until a credential is expected to be usable again, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The time limit that ran out, if this error is about one.
    #[must_use]
    pub fn timed_out(&self) -> Option<TimedOut> {
        self.timed_out
    }

    /// Whether the network failed, as opposed to a layer that refused to send anything.
    pub(crate) fn is_of_the_network(&self) -> bool {
        self.timed_out.is_some() || self.kind == ErrorKind::HeadTooLarge
    }

    /// Finds an error of this crate in `error` or in its chain of sources.
    ///
    /// ```
    /// use oauth_marathon::{BoxError, Error};
    ///
    /// let foreign: BoxError = "not ours".into();
    /// assert!(Error::find(&*foreign).is_none());
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        chain(error).find_map(|error| error.downcast_ref::<Self>())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_causes(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}
