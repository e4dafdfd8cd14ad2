//! OpenRouter (openrouter.ai/docs/errors): its own limits, and the failures of the providers behind it.

use crate::providers::failures::failure::Failure;
use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        // `availability.code`, which is finer than the type beside it.
        Row::codes(&["capacity_exhausted", "temporarily_unavailable"]).says(OVERLOADED),
        Row::codes(&["privacy_restricted"]).says(NO_MODEL),
        Row::codes(&["region_restricted"]).says(NOT_THIS_REQUEST),
        Row::codes(&["model_deprecated", "no_endpoints", "flagged_input", "moderation"]).says(REJECTED),
        // Ends when other requests of this account are done.
        Row::codes(&["in_flight_budget_exhausted", "openrouter_in_flight_budget"]).says(THROTTLED),
        Row::codes(&["openrouter_credits", "openrouter_key_limit", "payment_required"]).says(BILLING),
        Row::codes(&["provider_overloaded"]).says(OVERLOADED),
        Row::codes(&["provider_unavailable", "server", "timeout"]).says(SERVER),
        Row::codes(&["authentication"]).at(&[IN_STREAM, 401]).says(INVALID),
    ],
    fields: upstream,
    texts: &[
        text(&[IN_STREAM, 429], &["free-models-per-day"]).says(QUOTA),
        text(&[IN_STREAM, 429], &["free-models-per-min"]).says(THROTTLED),
        text(&[IN_STREAM, 429], &["temporarily rate-limited upstream", "^provider returned error"]).says(OVERLOADED),
        text(&[402, 403], &["limit exceeded", "^insufficient credits"]).says(BILLING),
        text(&[401], &["^user not found", "^no auth credentials found", "^no cookie auth credentials found"])
            .says(INVALID),
    ],
    statuses: &[(401, INVALID)],
    ..FamilyRules::NONE
};

fn upstream(failure: &Failure<'_>) -> Option<Meaning> {
    let document = &failure.document;
    match failure.status {
        Some(403) if document.is_flagged => Some(REJECTED),
        // The budget of a key, which fills up again at a stated time.
        Some(403) if document.times.resets_at.is_some() => Some(QUOTA),
        // Every account meets the limit of a provider behind it.
        Some(429) if document.is_upstream => Some(OVERLOADED),
        Some(429) | None if document.has_code("rate_limit_exceeded") => Some(THROTTLED_MODEL),
        _ => None,
    }
}
