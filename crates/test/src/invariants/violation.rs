//! A broken rule, as a check reports it.

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A rule that was broken, how, and the seed that shows it again. `Display` prints all three.
///
/// ```
/// use oauth_marathon::verdict::classify_fn;
/// use oauth_marathon_test::invariants::{Rule, check_classifier};
/// use oauth_marathon::verdict::{Kind, Verdict};
/// use std::time::Duration;
///
/// let endless = classify_fn(|_| Some(Verdict::new(Kind::Throttled).with_retry_after(Duration::MAX)));
/// let violation = check_classifier(&endless, 7).expect_err("it is broken");
/// assert_eq!((violation.rule(), violation.seed()), (Rule::WaitOutOfBounds, Some(7)));
/// assert!(violation.to_string().starts_with("a wait must be at most ten years"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    detail: String,
    seed: Option<u64>,
}

/// The rules that [`Violation::rule`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A part must not panic.
    Panicked,
    /// A part must not fail without a reason.
    Failed,
    /// A wait must be at most ten years.
    WaitOutOfBounds,
    /// A verdict must not name another status than the answer's.
    WrongStatus,
    /// An answer must not be judged as canceled by the caller, and an error not as a success.
    ImpossibleKind,
    /// A strategy must choose among the candidates.
    NoSuchCandidate,
    /// A credential that stays ready must be used while others fail.
    Starvation,
    /// A credential that is cooling must not be used.
    UsedWhileCooling,
    /// A credential must not be used again in a round, beyond the retries that it is allowed.
    DoubleSpend,
    /// A refresh token must be spent once.
    RefreshTokenSpentTwice,
    /// A request must not use more credentials in a round than `maxAttempts`.
    CapBroken,
    /// What was sent must be what the attempts report.
    UnreportedSend,
    /// What was stored must be what is loaded.
    NotKept,
    /// A write that expects another revision than the entry's must be refused, with the entry that the store holds.
    ConflictMissed,
    /// A write that expects the entry's revision must be done.
    ConflictInvented,
    /// Revisions must not be repeated, and generations must not go back, not even after a removal.
    WentBack,
    /// Of two writers that expect the same revision, only one may succeed.
    LostUpdate,
    /// Entries of different keys must not be mixed up.
    KeysMixed,
    /// Records must be listed in their order.
    OutOfOrder,
    /// A lease must have one holder at a time.
    LeaseShared,
    /// A lease that no process holds must be granted, also after it was given back.
    LeaseWithheld,
    /// A change must be reported within two seconds.
    ChangeUntold,
    /// A note about health must be in the record after a flush, beside those of others.
    NoteLost,
    /// A note about an older secret, or about no record, must change nothing.
    NoteMisplaced,
    /// The `Debug` text must not show a token.
    SecretShown,
}

impl Violation {
    pub(super) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), seed: None }
    }

    #[must_use]
    pub(super) fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Which rule was broken.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The seed that shows the violation again; `None` if nothing was drawn at random.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }
}

impl Rule {
    fn text(self) -> &'static str {
        match self {
            Self::Panicked => "a part must not panic",
            Self::Failed => "a part must not fail without a reason",
            Self::WaitOutOfBounds => "a wait must be at most ten years",
            Self::WrongStatus => "a verdict must not name another status than the answer's",
            Self::ImpossibleKind => "an answer cannot be canceled by the caller, and an error is no success",
            Self::NoSuchCandidate => "a strategy must choose among the candidates",
            Self::Starvation => "a credential that stays ready must be used while others fail",
            Self::UsedWhileCooling => "a credential that is cooling must not be used",
            Self::DoubleSpend => "a credential must not be used again in a round, beyond the retries it is allowed",
            Self::RefreshTokenSpentTwice => "a refresh token must be spent once",
            Self::CapBroken => "a request must not use more credentials in a round than maxAttempts",
            Self::UnreportedSend => "what was sent must be what the attempts report",
            Self::NotKept => "what was stored must be what is loaded",
            Self::ConflictMissed => "a write that expects another revision must be refused, with the stored entry",
            Self::ConflictInvented => "a write that expects the entry's revision must be done",
            Self::WentBack => {
                "revisions must not be repeated, and generations must not go back, not even after a removal"
            }
            Self::LostUpdate => "of two writers that expect one revision, only one may succeed",
            Self::KeysMixed => "entries of different keys must not be mixed up",
            Self::OutOfOrder => "records must be listed in their order",
            Self::LeaseShared => "a lease must have one holder at a time",
            Self::LeaseWithheld => "a lease without a holder must be granted",
            Self::ChangeUntold => "a change must be reported within two seconds",
            Self::NoteLost => "a note about health must be kept, beside those of others",
            Self::NoteMisplaced => "a note about an older secret or about no record must change nothing",
            Self::SecretShown => "the Debug text must not show a token",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.text(), self.detail)?;
        match self.seed {
            Some(seed) => write!(f, " (seed {seed})"),
            None => Ok(()),
        }
    }
}

impl StdError for Violation {}

/// Runs foreign code, and reports its panic as a violation.
pub(super) fn unpanicked<T>(what: impl FnOnce() -> String, f: impl FnOnce() -> T) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| Violation::new(Rule::Panicked, what()))
}
