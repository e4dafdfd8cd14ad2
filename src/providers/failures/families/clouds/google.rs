//! Google's Gemini API, Vertex AI and Code Assist: `error.status`, and the reasons in `error.details`.

use crate::providers::failures::failure::Failure;
use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

const KEYS_AND_ACCOUNTS: &[Row] = &[
    Row::codes(&["CREDENTIALS_MISSING", "ACCESS_TOKEN_TYPE_UNSUPPORTED"]).says(EXPIRED),
    Row::codes(&["CONSUMER_INVALID", "API_KEY_SERVICE_BLOCKED"]).says(NO_RIGHT),
    Row::codes(&["API_KEY_IP_ADDRESS_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED"]).says(EGRESS),
    Row::codes(&["INSUFFICIENT_G1_CREDITS_BALANCE"]).says(BILLING),
    Row::codes(&["VALIDATION_REQUIRED"]).says(TO_VERIFY),
    Row::codes(&["SUBSCRIPTION_REQUIRED"]).says(NO_PLAN),
    Row::codes(&["QUOTA_EXHAUSTED"]).says(QUOTA_MODEL),
    Row::codes(&["INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"]).at(&[IN_STREAM, 499, 500, 504]).says(SERVER),
];

const TEXTS: &[Row] = &[
    text(&[IN_STREAM, 402, 403, 429], &["^your prepayment credits are depleted"]).says(BILLING),
    text(&[400, 401, 403], &["^api key expired", "^api key not valid", "^api key not found"]).says(INVALID),
    text(&[400, 401, 403], &["^your api key was reported as leaked"]).says(LEAKED),
    text(&[400, 403], &["^user location is not supported"]).says(EGRESS),
    text(&[403], &["^permission denied: consumer *has been suspended", "violation of terms of service"]).says(BANNED),
    text(&[403], &["^your account is not eligible for", "has not been used in project *before or it is disabled"])
        .says(NO_RIGHT),
    text(&[403], &["^permission '*' denied", "cloudaicompanion.companions."]).says(NO_RIGHT),
    text(&[IN_STREAM, 429], &["^individual quota reached"]).says(QUOTA),
    text(&[IN_STREAM, 429], &["per day per user", "requests per day"]).says(QUOTA_MODEL),
    text(&[IN_STREAM, 429, 503], &["^no capacity available for model", "^the model is overloaded"]).says(OVERLOADED),
];

pub(in crate::providers::failures) static GEMINI: FamilyRules = FamilyRules {
    codes: KEYS_AND_ACCOUNTS,
    fields: quota,
    texts: TEXTS,
    statuses: &[(429, THROTTLED_MODEL)],
    ..FamilyRules::NONE
};

pub(in crate::providers::failures) static VERTEX: FamilyRules =
    FamilyRules { codes: KEYS_AND_ACCOUNTS, fields: shared_quota, texts: TEXTS, ..FamilyRules::NONE };

pub(in crate::providers::failures) static CODE_ASSIST: FamilyRules = FamilyRules {
    codes: KEYS_AND_ACCOUNTS,
    fields: quota,
    texts: TEXTS,
    statuses: &[(429, THROTTLED_MODEL)],
    hides_quotas: true,
    ..FamilyRules::NONE
};

/// Reads the names of the exceeded quotas, which tell a day from a minute. The delay beside a day's quota is no
/// promise.
fn quota(failure: &Failure<'_>) -> Option<Meaning> {
    let document = &failure.document;
    if !document.has_code("RESOURCE_EXHAUSTED") || failure.is(&[402]) {
        return None;
    }
    let named = |part: &str| document.quotas.iter().any(|name| name.contains(part));
    if document.quota_is_zero || ["limit: 0,", "limit: 0\n"].iter().any(|zero| document.message.contains(zero)) {
        // The account's tier does not include the model.
        Some(NO_MODEL)
    } else if named("PerDay") || named("Daily") {
        Some(QUOTA_MODEL)
    } else if named("PerMinute") || named("PerSecond") {
        Some(THROTTLED_MODEL)
    } else {
        None
    }
}

/// Reads a limit without a named quota. It is the region's shared capacity, which other projects meet as well.
fn shared_quota(failure: &Failure<'_>) -> Option<Meaning> {
    quota(failure).or_else(|| {
        let document = &failure.document;
        let shared = document.quotas.is_empty() && document.times.retry_info.is_none();
        (shared && document.has_code("RESOURCE_EXHAUSTED") && !failure.is(&[402])).then_some(OVERLOADED)
    })
}
