//! Together: its statuses say nearly everything.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    // 403: the prompt and the room for the answer are longer than the model's context.
    statuses: &[(401, INVALID), (403, REJECTED)],
    ..FamilyRules::NONE
};
