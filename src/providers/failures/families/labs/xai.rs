//! xAI: `error` is a sentence, and 403 stands for money, tokens and rights alike.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

const REFUSALS: &[u16] = &[IN_STREAM, 401, 402, 403, 429];

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["personal-team-blocked:spending-limit"]).says(BILLING),
        Row::codes(&["subscription:free-usage-exhausted"]).says(QUOTA_MODEL),
        Row::codes(&["unauthenticated:bad-credentials"]).says(EXPIRED),
    ],
    texts: &[
        text(REFUSALS, &["[wke=unauthenticated", "^the oauth2 access token could not be validated"]).says(EXPIRED),
        text(
            REFUSALS,
            &[
                "^your team * has either used all available credits",
                "^your newly created team doesn't have any credits",
                "^you have run out of credits",
            ],
        )
        .says(BILLING),
        text(REFUSALS, &["^you've used all the included free usage"]).says(QUOTA_MODEL),
        text(&[400, 401, 403], &["^incorrect api key provided"]).says(INVALID),
        // A fresh login may be refused once.
        text(&[403], &["^access to the chat endpoint is denied"]).says(EXPIRED),
        // The limit of this model is zero for the account.
        text(&[IN_STREAM, 429], &["(actual/limit): 0/0"]).says(NO_MODEL),
        text(&[IN_STREAM, 429], &["^too many tokens for team", "^too many requests for team"]).says(THROTTLED_MODEL),
    ],
    ..FamilyRules::NONE
};
