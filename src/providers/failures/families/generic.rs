//! Any other provider: only the rules that all families share.

use crate::providers::failures::family_rules::FamilyRules;

/// It has no sentences, because the messages of an unknown provider are not believed.
pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules { reads_times: false, ..FamilyRules::NONE };
