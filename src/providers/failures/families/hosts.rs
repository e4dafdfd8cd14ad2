//! Hosts of models whose statuses say nearly everything, and the rules for unknown providers.

use super::super::family::FamilyRules;
use super::super::row::*;

pub(in super::super) static DEEPSEEK: FamilyRules = FamilyRules { statuses: &[(401, INVALID)], ..FamilyRules::NONE };

pub(in super::super) static TOGETHER: FamilyRules = FamilyRules {
    // 403: the prompt and the room for the answer are longer than the model's context.
    statuses: &[(401, INVALID), (403, REJECTED)],
    ..FamilyRules::NONE
};

pub(in super::super) static FIREWORKS: FamilyRules = FamilyRules {
    codes: &[Row::codes(&["PRECONDITION_FAILED"]).at(&[412]).text(&["^account * is suspended"]).says(BILLING)],
    statuses: &[(401, INVALID), (403, INVALID)],
    ..FamilyRules::NONE
};

pub(in super::super) static OLLAMA: FamilyRules = FamilyRules {
    texts: &[
        text(&[429], &["have reached your session usage limit", "have reached your weekly usage limit"]).says(QUOTA),
        text(&[402, 403], &["^your subscription payment is past due"]).says(BILLING),
    ],
    ..FamilyRules::NONE
};

/// No message of an unknown provider is believed.
pub(in super::super) static GENERIC: FamilyRules = FamilyRules { reads_times: false, ..FamilyRules::NONE };
