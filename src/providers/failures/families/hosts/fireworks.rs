//! Fireworks: its statuses say nearly everything.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[Row::codes(&["PRECONDITION_FAILED"]).at(&[412]).text(&["^account * is suspended"]).says(BILLING)],
    statuses: &[(401, INVALID), (403, INVALID)],
    ..FamilyRules::NONE
};
