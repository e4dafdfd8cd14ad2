//! GitHub Copilot: its chat API, and GitHub's endpoint that gives out its short tokens.

use crate::providers::failures::failure::Failure;
use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;
use crate::providers::quota::WindowScope;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["user_model_rate_limited"]).says(THROTTLED_MODEL),
        Row::codes(&["user_global_rate_limited", "agent_mode_limit_exceeded"]).says(THROTTLED),
        // A limit for all accounts of the program, or of the provider behind it.
        Row::codes(&["integration_rate_limited", "model_overloaded", "upstream_provider_rate_limit"]).says(OVERLOADED),
        Row::codes(&["rate_limited"]).says(THROTTLED),
        Row::codes(&["quota_exceeded", "free_quota_exceeded"]).says(QUOTA),
        Row::codes(&["overage_limit_reached", "billing_locked"]).says(BILLING),
        Row::codes(&["extension_blocked"]).says(EGRESS),
        Row::codes(&["model_not_supported"]).says(NO_MODEL),
        // Reasons for which no short token is given out.
        Row::codes(&["no_copilot_access", "feature_flag_blocked"]).says(NO_RIGHT),
        Row::codes(&["not_signed_up", "subscription_ended"]).says(NO_PLAN),
        Row::codes(&["spammy_user", "trade_restricted", "trade_restricted_country", "access_revoked"]).says(BANNED),
    ],
    fields: limits,
    texts: &[
        text(&[401], &["^bad credentials"]).says(INVALID),
        text(&[403], &["^api rate limit exceeded", "^you have exceeded a secondary rate limit"]).says(THROTTLED),
    ],
    ..FamilyRules::NONE
};

/// What the quota fields say: a used-up quota is behind a 402, and behind a 403 a throttle, which GitHub sends so as well.
fn limits(failure: &Failure<'_>) -> Option<Meaning> {
    match failure.status? {
        402 if failure.exhausted().is_some() => Some(QUOTA),
        403 if failure.exhausted() == Some(WindowScope::Credential) => Some(THROTTLED),
        _ => None,
    }
}
