//! DeepSeek: its statuses say nearly everything.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules =
    FamilyRules { statuses: &[(401, INVALID)], ..FamilyRules::NONE };
