//! OpenAI's API (platform.openai.com/docs/guides/error-codes) and the backend of Codex, which shares its codes.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

/// Codes of limits, which concern an organization and a model.
const LIMITS: &[&str] = &["rate_limit_exceeded", "tokens", "requests"];

pub(in crate::providers::failures) static OPENAI: FamilyRules = FamilyRules {
    codes: &[
        // The request is larger than the limit of a whole minute: waiting never helps.
        Row::codes(LIMITS).text(&["^request too large"]).says(REJECTED),
        Row::codes(LIMITS).at(&[413]).says(REJECTED),
        Row::codes(LIMITS).text(&["on tokens per day (tpd)", "on requests per day (rpd)"]).says(QUOTA_MODEL),
        Row::codes(LIMITS).at(&[IN_STREAM, 400, 403, 429, 503]).says(THROTTLED_MODEL),
    ],
    texts: &[
        text(
            &[400, 403, 429],
            &["^billing hard limit has been reached", "^your account is not active, please check your billing"],
        )
        .says(BILLING),
        text(&[429], &["^you exceeded your current quota, please check your plan and billing"]).says(BILLING),
        text(&[401], &["^incorrect api key provided", "^invalid api key", "^you must be a member of an organization"])
            .says(INVALID),
        text(&[401, 403], &["^your ip", "^ip not authorized", "^ip address"]).says(EGRESS),
        text(&[401, 403], &["^you have insufficient permissions for this operation"]).says(NO_RIGHT),
        text(&[401, 403], &["^your openai account has been deactivated"]).says(BANNED),
        text(&[403], &["^country, region, or territory not supported"]).says(EGRESS),
        text(&[403], &["^project *does not have access to model"]).says(NO_MODEL),
        text(&[429, 500, 503], &["engine is currently overloaded", "server is currently overloaded"]).says(OVERLOADED),
    ],
    ..FamilyRules::NONE
};

pub(in crate::providers::failures) static CODEX: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["biscuit_baker_service_agent_error_status"]).at(&[401, 403]).says(INVALID),
        Row::codes(LIMITS).text(&["^request too large"]).says(REJECTED),
        Row::codes(LIMITS).text(&["^rate limit reached for "]).says(THROTTLED_MODEL),
    ],
    texts: &[
        text(&[IN_STREAM, 400, 429, 500, 503], &["^selected model is at capacity"]).says(OVERLOADED),
        text(&[IN_STREAM, 400, 403, 404], &["^the '*' model is not supported when using codex"]).says(NO_MODEL),
        text(&[IN_STREAM, 400], &["^the '*' model requires a newer version of codex"]).says(REJECTED),
        text(&[429], &["^the usage limit has been reached", "^you've hit your usage limit"]).says(QUOTA),
    ],
    ..FamilyRules::NONE
};
