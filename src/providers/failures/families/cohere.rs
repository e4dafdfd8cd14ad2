//! Cohere: a message alone.

use super::super::family::FamilyRules;
use super::super::row::*;

pub(in super::super) static RULES: FamilyRules = FamilyRules {
    texts: &[text(&[429], &["api calls / month", "calls per month"]).says(QUOTA)],
    statuses: &[(401, INVALID), (498, REJECTED)],
    ..FamilyRules::NONE
};
