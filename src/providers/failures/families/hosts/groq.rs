//! Groq (console.groq.com/docs/errors): OpenAI's words, with limits of a day as well.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

const LIMITS: &[&str] = &["rate_limit_exceeded", "tokens", "requests"];

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(LIMITS).text(&["^request too large"]).says(REJECTED),
        Row::codes(LIMITS).at(&[413]).says(REJECTED),
        Row::codes(LIMITS).text(&["per day (tpd)", "per day (rpd)", "per day (asd)"]).says(QUOTA_MODEL),
        Row::codes(LIMITS).at(&[IN_STREAM, 400, 429, 503]).says(THROTTLED_MODEL),
        Row::codes(&["capacity_exceeded"]).says(OVERLOADED),
        Row::codes(&["model_permission_blocked_org", "model_permission_blocked_project"]).says(NO_MODEL),
        Row::codes(&["model_decommissioned", "model_terms_required"]).says(REJECTED),
    ],
    texts: &[
        text(&[400, 401, 403], &["^organization has been restricted"]).says(BANNED),
        text(&[403], &["^the model `*` is blocked at the "]).says(NO_MODEL),
    ],
    statuses: &[(401, INVALID), (498, OVERLOADED)],
    ..FamilyRules::NONE
};
