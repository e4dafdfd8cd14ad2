//! Qwen on Alibaba's Model Studio (help.aliyun.com/zh/model-studio/error-code).

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&[
            "Throttling",
            "Throttling.RateQuota",
            "Throttling.BurstRate",
            "limit_requests",
            "limit_burst_rate",
        ])
        .says(THROTTLED_MODEL),
        Row::codes(&["Throttling.AllocationQuota", "insufficient_quota"])
            .text(&["hour allocated quota exceeded", "week allocated quota exceeded", "month allocated quota exceeded"])
            .says(QUOTA),
        Row::codes(&["Throttling.AllocationQuota"]).says(THROTTLED_MODEL),
        Row::codes(&["insufficient_quota"]).at(&[IN_STREAM, 429]).says(QUOTA),
        Row::codes(&["AllocationQuota.FreeTierOnly"]).says(BILLING_MODEL),
        Row::codes(&["AccessDenied", "Model.AccessDenied"]).says(NO_MODEL),
        Row::codes(&["ModelNotFound", "DataInspectionFailed", "data_inspection_failed", "InvalidParameter"])
            .says(REJECTED),
    ],
    texts: &[
        text(
            &[IN_STREAM, 403, 429],
            &["hour allocated quota exceeded", "week allocated quota exceeded", "month allocated quota exceeded"],
        )
        .says(QUOTA),
        text(&[401], &["^invalid access token or token expired"]).says(EXPIRED),
    ],
    ..FamilyRules::NONE
};
