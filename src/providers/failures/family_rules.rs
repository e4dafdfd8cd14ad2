//! What each family fills in: its table of codes, sentences and statuses.

use super::failure::Failure;
use super::row::{Meaning, Row};

/// The rules of a family.
#[derive(Debug)]
pub(super) struct FamilyRules {
    /// Codes, asked first; of several rows the first that matches counts.
    pub(super) codes: &'static [Row],
    /// The family's own header fields.
    pub(super) fields: fn(&Failure<'_>) -> Option<Meaning>,
    /// Sentences of its messages. None is believed of an unknown provider.
    pub(super) texts: &'static [Row],
    /// Where a status means something else than usual.
    pub(super) statuses: &'static [(u16, Meaning)],
    /// Whether times are read from its messages, even without a known code.
    pub(super) reads_times: bool,
    /// Whether a day's limit is worded like a minute's, so that only the length of the wait tells them apart.
    pub(super) hides_quotas: bool,
}

impl FamilyRules {
    pub(super) const NONE: Self =
        Self { codes: &[], fields: |_| None, texts: &[], statuses: &[], reads_times: true, hides_quotas: false };
}
