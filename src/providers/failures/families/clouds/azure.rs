//! Azure OpenAI. Codes are mostly the status again; the message tells a limit from a lack of capacity.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["DeploymentNotFound", "ResponsibleAIPolicyViolation"]).says(REJECTED),
        Row::codes(&["PermissionDenied"]).at(&[401]).says(INVALID),
        // The credential has no role for the deployment.
        Row::codes(&["PermissionDenied", "AuthorizationFailed"]).at(&[403]).says(NO_RIGHT),
    ],
    texts: &[
        text(
            &[IN_STREAM, 429, 503],
            &[
                "system is currently experiencing high demand",
                "system is experiencing high demand",
                "service is temporarily unable to process your request",
            ],
        )
        .says(OVERLOADED),
        text(&[401], &["^access denied due to invalid subscription key"]).says(INVALID),
        text(&[403], &["virtual network/firewall rules", "^public access is disabled"]).says(EGRESS),
    ],
    // A limit concerns one deployment.
    statuses: &[(429, THROTTLED_MODEL)],
    hides_quotas: true,
    ..FamilyRules::NONE
};
