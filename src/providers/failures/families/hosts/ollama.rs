//! Ollama's cloud: its messages tell a used-up plan.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    texts: &[
        text(&[429], &["have reached your session usage limit", "have reached your weekly usage limit"]).says(QUOTA),
        text(&[402, 403], &["^your subscription payment is past due"]).says(BILLING),
    ],
    ..FamilyRules::NONE
};
