//! Kimi and Moonshot. Kimi Code says 403 where a plan is used up.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["rate_limit_reached_error"]).says(THROTTLED),
        Row::codes(&["exceeded_current_quota_error"]).says(BILLING),
        Row::codes(&["invalid_authentication_error"]).says(INVALID),
    ],
    texts: &[
        text(&[IN_STREAM, 403, 429], &["^you've reached your usage limit", "^you have reached your usage limit"])
            .says(QUOTA),
        text(&[403], &["^kimi for coding is currently only available for "]).says(NOT_THIS_REQUEST),
        text(&[429], &["^we're receiving too many requests", "^the engine is currently overloaded"]).says(OVERLOADED),
    ],
    ..FamilyRules::NONE
};
