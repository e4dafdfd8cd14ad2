//! What each family fills in: its tables of codes, sentences and statuses.

use super::failure::Failure;
use super::row::{Meaning, Row};

/// The rules of a family.
#[derive(Debug)]
pub(super) struct FamilyRules {
    /// Rules for codes, asked first; the first row that matches counts.
    pub(super) codes: &'static [Row],
    /// Reads the family's own header fields.
    pub(super) fields: fn(&Failure<'_>) -> Option<Meaning>,
    /// Rules for sentences in its messages. An unknown provider has none.
    pub(super) texts: &'static [Row],
    /// Statuses that mean something else than usual.
    pub(super) statuses: &'static [(u16, Meaning)],
    /// Whether times are read from its messages, even without a known code.
    pub(super) reads_times: bool,
    /// Whether a day's limit is worded like a minute's. Then only the length of the wait tells them apart.
    pub(super) hides_quotas: bool,
}

impl FamilyRules {
    pub(super) const NONE: Self =
        Self { codes: &[], fields: |_| None, texts: &[], statuses: &[], reads_times: true, hides_quotas: false };
}
