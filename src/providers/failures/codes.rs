//! Codes that mean the same from every provider.

use super::row::*;

/// Rules for codes, asked after the rules of the family.
pub(super) static SHARED: &[Row] = &[
    // Money.
    Row::codes(&[
        "billing_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_not_configured",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
        "BILLING_DISABLED",
        "Arrearage",
    ])
    .says(BILLING),
    // Quotas of plans.
    Row::codes(&["usage_limit_reached", "quota-exceeded"]).says(QUOTA),
    Row::codes(&["usage_not_included"]).says(NO_PLAN),
    // Accounts that need a person.
    Row::codes(&[
        "account_deactivated",
        "account_suspended",
        "account_deleted",
        "organization_restricted",
        "CONSUMER_SUSPENDED",
    ])
    .says(BANNED),
    Row::codes(&["deactivated_workspace"]).says(CLOSED),
    // Logins and keys.
    Row::codes(&["token_expired", "token_invalidated", "token_revoked", "ACCESS_TOKEN_EXPIRED", "invalid_token"])
        .says(EXPIRED),
    Row::codes(&[
        "invalid_api_key",
        "InvalidApiKey",
        "API_KEY_INVALID",
        "invalid_grant",
        "invalid_refresh_token",
        "refresh_token_reused",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "app_session_expired",
        "app_session_terminated",
        "account_session_expired",
    ])
    .says(INVALID),
    // Rights.
    Row::codes(&["missing_scope", "insufficient_scope", "SERVICE_DISABLED", "IAM_PERMISSION_DENIED"]).says(NO_RIGHT),
    Row::codes(&["unsupported_country_region_territory", "ip_not_authorized"]).says(EGRESS),
    Row::codes(&["model_not_found"]).at(&[403]).says(NO_MODEL),
    // Capacity.
    Row::codes(&["slow_down"]).at(&[400, 429]).says(THROTTLED),
    Row::codes(&[
        "server_is_overloaded",
        "slow_down",
        "overloaded_error",
        "engine_overloaded_error",
        "temporarily_unavailable",
        "temporary-reduced-capacity",
        "MODEL_CAPACITY_EXHAUSTED",
    ])
    .says(OVERLOADED),
    Row::codes(&["abnormal-usage-detected"]).says(THROTTLED),
    // Requests at fault. With other statuses these codes come from a gateway.
    Row::codes(&[
        "bio_policy",
        "content_filter",
        "content_policy_violation",
        "context_length_exceeded",
        "cyber_policy",
        "data_residency_mismatch",
        "invalid_prompt",
        "invalid_value",
        "model_not_found",
        "previous_response_not_found",
        "request_too_large",
        "string_above_max_length",
    ])
    .at(&[IN_STREAM, 400, 403, 404, 413, 422])
    .says(REJECTED),
    Row::codes(&["websocket_connection_limit_reached"]).says(SERVER),
];

/// Rules for codes that say little; asked after header fields and messages.
pub(super) static WEAK: &[Row] = &[
    // Google's status for limits, which concern one model.
    Row::codes(&["RESOURCE_EXHAUSTED"]).at(&[IN_STREAM, 400, 403, 429, 500, 503]).says(THROTTLED_MODEL),
    Row::codes(&["rate_limit_error", "rate_limit_exceeded", "rate_limited", "rate_limit_reached"])
        .at(&[IN_STREAM, 400, 403, 429, 500, 503])
        .says(THROTTLED),
    Row::codes(&["UNAVAILABLE", "service_unavailable", "service_unavailable_error"])
        .at(&[IN_STREAM, 429, 500, 503])
        .says(OVERLOADED),
    Row::codes(&["authentication_error", "UNAUTHENTICATED"]).at(&[IN_STREAM]).says(EXPIRED),
    Row::codes(&["permission_error", "permission_denied", "PERMISSION_DENIED"]).at(&[IN_STREAM]).says(FORBIDDEN),
    Row::codes(&[
        "invalid_request",
        "invalid_request_error",
        "not_found_error",
        "not_found",
        "INVALID_ARGUMENT",
        "FAILED_PRECONDITION",
        "NOT_FOUND",
        "OUT_OF_RANGE",
    ])
    .at(&[IN_STREAM])
    .says(REJECTED),
];
