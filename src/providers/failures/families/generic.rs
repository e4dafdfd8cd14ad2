//! Any other provider: the shared codes, header fields and the status, which all families fall back on.

use crate::providers::failures::family_rules::FamilyRules;

/// No message of an unknown provider is believed.
pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules { reads_times: false, ..FamilyRules::NONE };
