//! Cohere: its errors are a message without a code.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    texts: &[text(&[429], &["api calls / month", "calls per month"]).says(QUOTA)],
    statuses: &[(401, INVALID), (498, REJECTED)],
    ..FamilyRules::NONE
};
