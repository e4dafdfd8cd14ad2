//! Mistral: codes are numbers as text, and a lack of capacity calls itself an invalid request.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["3505"]).says(OVERLOADED),
        Row::codes(&["1300"]).says(THROTTLED),
        Row::codes(&["1500"]).says(REJECTED),
    ],
    texts: &[text(&[IN_STREAM, 400, 429, 503], &["service tier capacity exceeded"]).says(OVERLOADED)],
    statuses: &[(401, INVALID)],
    ..FamilyRules::NONE
};
