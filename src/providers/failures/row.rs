//! The two types that the rules are written in: a [`Row`] says what matches, a [`Meaning`] what follows.

use super::failure::Failure;
use crate::verdict::{Kind, Remedy, Scope, Verdict};

/// What a failure means: a kind, a scope and a remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) kind: Kind,
    scope: Scope,
    remedy: Option<Remedy>,
}

impl Meaning {
    /// A meaning with the usual scope of its kind.
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, scope: Verdict::new(kind).scope(), remedy: None }
    }

    const fn about(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    const fn cured_by(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    pub(super) const fn verdict(self) -> Verdict {
        let verdict = Verdict::new(self.kind).with_scope(self.scope);
        match self.remedy {
            Some(remedy) => verdict.with_remedy(remedy),
            None => verdict,
        }
    }
}

/// Too many requests of this credential.
pub(super) const THROTTLED: Meaning = Meaning::new(Kind::Throttled);
/// Too many requests of this credential for this model.
pub(super) const THROTTLED_MODEL: Meaning = THROTTLED.about(Scope::Model);
/// Too many requests from this network address.
pub(super) const THROTTLED_EDGE: Meaning = THROTTLED.about(Scope::Provider);
/// The plan's or the day's quota is used up.
pub(super) const QUOTA: Meaning = Meaning::new(Kind::QuotaExhausted);
/// The quota for this model is used up.
pub(super) const QUOTA_MODEL: Meaning = QUOTA.about(Scope::Model);
/// No money, or a limit on spending.
pub(super) const BILLING: Meaning = Meaning::new(Kind::Billing).cured_by(Remedy::Pay);
/// No money for this model; others may be free.
pub(super) const BILLING_MODEL: Meaning = BILLING.about(Scope::Model);
/// The access token has expired; a refresh may help.
pub(super) const EXPIRED: Meaning = Meaning::new(Kind::Unauthorized);
/// A login or a key that is no longer valid.
pub(super) const INVALID: Meaning = Meaning::new(Kind::Revoked).cured_by(Remedy::LogIn);
/// A workspace that its owner or the provider has closed.
pub(super) const CLOSED: Meaning = Meaning::new(Kind::Revoked).cured_by(Remedy::ContactProvider);
/// Banned, suspended, disabled.
pub(super) const BANNED: Meaning = Meaning::new(Kind::Banned).cured_by(Remedy::ContactProvider);
/// A key that others know.
pub(super) const LEAKED: Meaning = Meaning::new(Kind::Banned).cured_by(Remedy::ReplaceKey);
/// The account has to be verified by a person.
pub(super) const TO_VERIFY: Meaning = Meaning::new(Kind::Banned).cured_by(Remedy::Verify);
/// No capacity at the provider.
pub(super) const OVERLOADED: Meaning = Meaning::new(Kind::Overloaded);
/// The provider failed.
pub(super) const SERVER: Meaning = Meaning::new(Kind::ServerError);
/// The request is at fault.
pub(super) const REJECTED: Meaning = Meaning::new(Kind::Rejected);
/// The request asks for what no credential of this kind may have.
pub(super) const NOT_THIS_REQUEST: Meaning = Meaning::new(Kind::Forbidden).about(Scope::Request);
/// The credential may not use this model.
pub(super) const NO_MODEL: Meaning = Meaning::new(Kind::Forbidden).about(Scope::Model);
/// The credential may not use the service; a refresh changes nothing.
pub(super) const NO_RIGHT: Meaning = Meaning::new(Kind::Forbidden).about(Scope::Credential).cured_by(Remedy::Enable);
/// The plan does not include the service.
pub(super) const NO_PLAN: Meaning = Meaning::new(Kind::Forbidden).about(Scope::Credential).cured_by(Remedy::Pay);
/// The provider serves no request from this country or network: every credential is refused alike.
pub(super) const EGRESS: Meaning = Meaning::new(Kind::Forbidden).about(Scope::Provider);
/// Refused without saying why.
pub(super) const FORBIDDEN: Meaning = Meaning::new(Kind::Forbidden);

/// In a row's statuses: an error without a status, inside a stream.
pub(super) const IN_STREAM: u16 = 0;

/// One rule: everything that it names has to match. A row that names no code matches any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    codes: &'static [&'static str],
    statuses: &'static [u16],
    texts: &'static [&'static str],
    pub(super) says: Meaning,
}

impl Row {
    /// A row for any of these codes, in letters of either case; `code` also matches `code:suffix`.
    pub(super) const fn codes(codes: &'static [&'static str]) -> Self {
        Self { codes, statuses: &[], texts: &[], says: REJECTED }
    }

    /// Limits the row to these statuses.
    pub(super) const fn at(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    /// Limits the row to messages with any of these sentences, in small letters. `^` stands for the start, `*` for
    /// anything.
    pub(super) const fn text(mut self, texts: &'static [&'static str]) -> Self {
        self.texts = texts;
        self
    }

    pub(super) const fn says(mut self, meaning: Meaning) -> Self {
        self.says = meaning;
        self
    }

    pub(super) fn matches(&self, failure: &Failure<'_>) -> bool {
        let status = failure.status.unwrap_or(IN_STREAM);
        (self.statuses.is_empty() || self.statuses.contains(&status))
            && (self.codes.is_empty() || self.codes.iter().any(|code| failure.document.has_code(code)))
            && (self.texts.is_empty() || self.texts.iter().any(|text| contains(&failure.document.message, text)))
    }
}

/// A row for sentences with these statuses: what a message means depends on its status.
pub(super) const fn text(statuses: &'static [u16], texts: &'static [&'static str]) -> Row {
    Row::codes(&[]).at(statuses).text(texts)
}

/// Whether the parts of `pattern`, which `*` separates, stand in `message` in this order.
pub(super) fn contains(message: &str, pattern: &str) -> bool {
    let (mut rest, pattern) = match pattern.strip_prefix('^') {
        Some(pattern) => {
            let (first, others) = pattern.split_once('*').unwrap_or((pattern, ""));
            match message.strip_prefix(first) {
                Some(rest) => (rest, others),
                None => return false,
            }
        }
        None => (message, pattern),
    };
    pattern.split('*').all(|part| match rest.find(part).and_then(|place| rest.get(place + part.len()..)) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    })
}
