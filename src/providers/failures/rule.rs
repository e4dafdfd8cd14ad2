//! Rules that a user adds to a family's.

use std::borrow::Cow;

use super::failure::Failure;
use crate::verdict::Verdict;

/// A rule of your own, for a failure that no family knows.
///
/// It matches a failure if all of its conditions do. A rule without conditions matches every failure.
///
/// ```
/// use oauth_marathon::providers::failures::Rule;
/// use oauth_marathon::verdict::{Kind, Scope, Verdict};
///
/// // {"error":{"code":"fair_use_exceeded", …}} with any status.
/// let fair_use = Rule::new(Verdict::new(Kind::QuotaExhausted)).code("fair_use_exceeded");
/// // A 409 with "model is busy" in its message.
/// let busy = Rule::new(Verdict::new(Kind::Overloaded)).status(409).message("model is busy");
/// # let _ = (fair_use, busy);
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    verdict: Verdict,
    code: Option<Cow<'static, str>>,
    status: Option<u16>,
    message: Option<String>,
    header: Option<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Rule {
    /// A rule that gives `verdict`.
    ///
    /// A verdict without a time gets the time that the failure states; a verdict without a status gets the failure's.
    #[must_use]
    pub const fn new(verdict: Verdict) -> Self {
        Self { verdict, code: None, status: None, message: None, header: None }
    }

    /// Matches a code wherever the body has one: `error.code`, `error.type`, `error.status`, `details[].reason` and
    /// their like, in letters of either case. A number matches as its digits. `code` also matches `code:suffix`.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Matches the status of the answer, or the status that an error inside a stream states.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Matches a part of the message in the error object, in letters of either case. Never the rest of the body, nor a
    /// message that speaks about a parameter of the request: both may quote what the user wrote.
    #[must_use]
    pub fn message(mut self, part: &str) -> Self {
        self.message = Some(part.to_ascii_lowercase());
        self
    }

    /// Matches a header field whose value is `value`, blanks around it aside.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.header = Some((name.into(), value.into()));
        self
    }

    /// The verdict of the rule, if the failure matches all of its conditions.
    pub(super) fn verdict(&self, failure: &Failure<'_>) -> Option<Verdict> {
        let Self { verdict, code, status, message, header } = self;
        let matches = code.as_deref().is_none_or(|code| failure.document.has_code(code))
            && status.is_none_or(|status| failure.status == Some(status))
            && message.as_deref().is_none_or(|part| failure.document.message.contains(part))
            && header.as_ref().is_none_or(|(name, value)| {
                let named = |(own, its): (&str, &str)| own.eq_ignore_ascii_case(name) && its == value.trim();
                failure.fields().any(named)
            });
        matches.then_some(*verdict)
    }
}
