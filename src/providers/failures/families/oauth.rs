//! OAuth servers: the codes of RFC 6749 section 5.2 and RFC 8628 section 3.5, and codes that some servers add.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        // A refusal by the token endpoint itself: no refresh is left to try.
        Row::codes(&[
            "invalid_client",
            "token_expired",
            "expired_token",
            "bad_refresh_token",
            "InvalidGrantException",
            "UnauthorizedClientException",
            "ExpiredTokenException",
        ])
        .says(INVALID),
        Row::codes(&[
            "invalid_request",
            "invalid_scope",
            "unsupported_grant_type",
            "unauthorized_client",
            "empty_string",
        ])
        .says(REJECTED),
        Row::codes(&["access_denied"]).says(NOT_THIS_REQUEST),
        Row::codes(&["authorization_pending", "slow_down", "AuthorizationPendingException", "SlowDownException"])
            .says(THROTTLED),
        Row::codes(&["server_error", "internal_failure"]).says(SERVER),
    ],
    // The token endpoint decides who may have a token at all: a refresh or another login changes nothing.
    statuses: &[(401, INVALID), (403, NO_RIGHT)],
    ..FamilyRules::NONE
};
