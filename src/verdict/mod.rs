//! What an answer or an error means: the [`Verdict`], the [`Classifier`]s that give one, and what a status, a `Retry-After`
//! and a transport error say by themselves.
//!
//! A classifier judges only what it knows and leaves the rest to the next one. The [`StandardClassifier`] is asked last and
//! always has a verdict. This room may read the head and the body of an answer and the chain of an error; it knows no single
//! provider (that is [`providers`](crate::providers)) and no pool. A verdict is not just a status, because the same status
//! can be about the request, the credential, its token or the provider, and each calls for something else.

mod classifier;
mod out_reason;
mod retry_after;
pub(crate) mod standard;
pub(crate) mod times;
mod transport;
mod words;

use std::fmt;
use std::time::Duration;

use http::StatusCode;

pub use self::classifier::{Answer, Classifier, ClassifyFn, classify_fn};
pub use self::out_reason::OutReason;
pub use self::retry_after::retry_after;
pub use self::standard::StandardClassifier;

/// What one attempt came back with, as judged by a [`Classifier`].
///
/// ```
/// use oauth_marathon::verdict::{Kind, Scope, Verdict};
/// use std::time::Duration;
///
/// let verdict = Verdict::new(Kind::Throttled).with_retry_after(Duration::from_secs(20));
/// assert_eq!(verdict.scope(), Scope::Credential);
/// assert_eq!(verdict.retry_after(), Some(Duration::from_secs(20)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    kind: Kind,
    scope: Scope,
    processed: Processed,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    time_source: Option<TimeSource>,
    remedy: Option<Remedy>,
    lost: Option<Lost>,
}

/// The shortest cooldown that a stated time makes.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What a person can do about a failure that waiting does not cure.
///
/// Its [`Display`](fmt::Display) text is a sentence for that person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Log the account in again, or enter a valid key.
    LogIn,
    /// Replace a key that has become known to others.
    ReplaceKey,
    /// Verify the account.
    Verify,
    /// Ask the provider why the account is closed to it.
    ContactProvider,
    /// Pay, or raise the limit on spending.
    Pay,
    /// Enable the service, or grant the right to use it.
    Enable,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogIn => "log the account in again, or enter a valid key",
            Self::ReplaceKey => {
                "revoke the key in the provider's console and enter a new one: it was reported as leaked"
            }
            Self::Verify => "verify the account in the provider's console",
            Self::ContactProvider => "ask the provider's support why the account is banned, disabled or restricted",
            Self::Pay => "pay, add credits or raise the spending limit in the provider's console",
            Self::Enable => "enable the service for the account in the provider's console, or ask its administrator to",
        })
    }
}

/// Where a stated time was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeSource {
    /// A header field that says how long to wait, such as `Retry-After`.
    Header,
    /// A member of the body that is meant for machines.
    Body,
    /// The window of a quota that the header fields show as used up.
    Window,
    /// The message for people.
    Text,
}

/// The kind of an outcome.
///
/// ```
/// use oauth_marathon::verdict::Kind;
///
/// assert_eq!(Kind::QuotaExhausted.to_string(), "quotaExhausted");
/// assert_eq!("quotaExhausted".parse::<Kind>()?, Kind::QuotaExhausted);
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The provider accepted the request.
    Success,
    /// Too many requests for now (429).
    Throttled,
    /// A plan's or a day's quota is used up.
    QuotaExhausted,
    /// The account has to pay first (402).
    Billing,
    /// The access token was not accepted (401).
    Unauthorized,
    /// The provider refused without saying why (403).
    Forbidden,
    /// The login is invalid for good; the account has to log in again.
    Revoked,
    /// The account is banned, suspended or has to be verified by a person.
    Banned,
    /// The provider has no capacity (503, 529) and did not process the request.
    Overloaded,
    /// The provider failed (other 5xx).
    ServerError,
    /// The request itself is refused (other 4xx).
    Rejected,
    /// The connection failed before an answer began.
    Network,
    /// The caller went away, or its request body failed.
    Canceled,
}

/// What failed: the scope of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// This request, with any credential.
    Request,
    /// The credential, for the model that the request asks for.
    Model,
    /// The credential, with any token.
    Credential,
    /// The credential's current token only.
    Generation,
    /// The provider as a whole.
    Provider,
    /// The way to the provider.
    Network,
}

/// Whether the provider may have acted on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Processed {
    /// It was surely not processed: it was refused, or never arrived.
    No,
    /// It may have been processed. Everything unknown counts as this.
    Maybe,
}

/// How a connection failed, if that matters for what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// It broke before a byte of the answer came. The server may have closed an old connection; a new one may work at
    /// once.
    BeforeAnswer,
    /// No answer began in time.
    TimedOut,
    /// The time ran out before the request was sent, while a token was being refreshed.
    Unsent,
}

impl Verdict {
    /// A verdict with the usual scope of its kind.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        let (scope, processed) = match kind {
            Kind::Success => (Scope::Credential, Processed::Maybe),
            Kind::Throttled | Kind::QuotaExhausted => (Scope::Credential, Processed::No),
            Kind::Billing | Kind::Revoked | Kind::Banned => (Scope::Credential, Processed::Maybe),
            Kind::Unauthorized | Kind::Forbidden => (Scope::Generation, Processed::No),
            Kind::Overloaded => (Scope::Provider, Processed::No),
            Kind::ServerError => (Scope::Provider, Processed::Maybe),
            Kind::Rejected | Kind::Canceled => (Scope::Request, Processed::Maybe),
            Kind::Network => (Scope::Network, Processed::Maybe),
        };
        Self { kind, scope, processed, status: None, retry_after: None, time_source: None, remedy: None, lost: None }
    }

    /// Sets the scope, if it differs from the usual scope of its kind.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets whether the provider may have acted on the request.
    #[must_use]
    pub const fn with_processed(mut self, processed: Processed) -> Self {
        self.processed = processed;
        self
    }

    /// Sets the status that the verdict was read from.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets how long the provider asks to wait.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Sets where that time was read.
    #[must_use]
    pub const fn with_time_source(mut self, source: TimeSource) -> Self {
        self.time_source = Some(source);
        self
    }

    /// Sets what a person can do about it.
    #[must_use]
    pub const fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Sets how the connection failed.
    #[must_use]
    pub const fn with_lost(mut self, lost: Lost) -> Self {
        self.lost = Some(lost);
        self
    }

    /// The kind of outcome.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The scope: what failed.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether the provider may have acted on the request.
    #[must_use]
    pub const fn processed(&self) -> Processed {
        self.processed
    }

    /// The status, if there was an answer.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// How long the provider asks to wait, if it says so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Where that time was read, if that is known.
    #[must_use]
    pub const fn time_source(&self) -> Option<TimeSource> {
        self.time_source
    }

    /// What a person can do about it, if neither waiting nor a refresh helps this credential.
    #[must_use]
    pub const fn remedy(&self) -> Option<Remedy> {
        self.remedy
    }

    /// How the connection failed, if that is known.
    #[must_use]
    pub const fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// The stated time as a cooldown, at least one second. Some servers say "now" for hours, and a request would
    /// otherwise be repeated at once.
    pub(crate) fn stated_pause(&self) -> Option<Duration> {
        self.retry_after.map(|stated| stated.max(SHORTEST_PAUSE))
    }

    /// Whether the provider failed, which is no fault of the credential.
    pub(crate) const fn is_server_error(&self) -> bool {
        matches!(self.kind, Kind::Overloaded | Kind::ServerError)
    }

    /// Whether the provider accepted the request.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.kind, Kind::Success)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Success => "success",
            Kind::Throttled => "rate limited",
            Kind::QuotaExhausted => "quota used up",
            Kind::Billing => "payment required",
            Kind::Unauthorized => "token not accepted",
            Kind::Forbidden => "forbidden",
            Kind::Revoked => "login revoked",
            Kind::Banned => "account banned",
            Kind::Overloaded => "overloaded",
            Kind::ServerError => "server error",
            Kind::Rejected => "request refused",
            Kind::Network => "connection failed",
            Kind::Canceled => "canceled by the caller",
        })?;
        if let Some(status) = self.status {
            write!(f, " ({})", status.as_u16())?;
        }
        Ok(())
    }
}
