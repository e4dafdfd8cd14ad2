//! z.ai and its GLM models: codes are numbers, sent as text. Its times of day name no zone and are not read.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["1302"]).says(THROTTLED),
        Row::codes(&["1305"]).says(OVERLOADED),
        Row::codes(&["1308", "1310"]).says(QUOTA),
        Row::codes(&["1313"]).says(BANNED),
        Row::codes(&["1113"]).says(BILLING),
    ],
    ..FamilyRules::NONE
};
