//! AWS Bedrock and Kiro: the exception's name in a header field, in the body, or in the framing of a stream.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

pub(in crate::providers::failures) static BEDROCK: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["ThrottlingException", "TooManyRequestsException"]).text(&["per day"]).says(QUOTA_MODEL),
        Row::codes(&["ThrottlingException", "TooManyRequestsException", "Throttling", "ThrottledException"])
            .says(THROTTLED_MODEL),
        Row::codes(&["ServiceQuotaExceededException"]).says(QUOTA),
        Row::codes(&["ModelNotReadyException", "ServiceUnavailableException", "ServiceUnavailable"]).says(OVERLOADED),
        Row::codes(&[
            "ModelTimeoutException",
            "ModelErrorException",
            "ModelStreamErrorException",
            "InternalServerException",
            "InternalFailure",
        ])
        .says(SERVER),
        Row::codes(&["AccessDeniedException"])
            .text(&["marketplace subscription", "invalid_payment_instrument"])
            .says(BILLING),
        Row::codes(&["AccessDeniedException"]).text(&["have access to the model"]).says(NO_MODEL),
        Row::codes(&["AccessDeniedException"]).says(NO_RIGHT),
        Row::codes(&["FTUFormNotFilled"]).says(NO_MODEL),
        Row::codes(&["ResourceNotFoundException"]).text(&["use case details have not been submitted"]).says(NO_MODEL),
        Row::codes(&["ExpiredTokenException", "ExpiredToken"]).says(EXPIRED),
        Row::codes(&["UnrecognizedClientException", "InvalidClientTokenId"]).says(INVALID),
        // The signature is wrong, or was made with a wrong clock: another credential would do no better.
        Row::codes(&["InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch"]).says(REJECTED),
        Row::codes(&["ValidationException", "ResourceNotFoundException"]).says(REJECTED),
    ],
    ..FamilyRules::NONE
};

pub(in crate::providers::failures) static KIRO: FamilyRules = FamilyRules {
    codes: &[
        Row::codes(&["MONTHLY_REQUEST_COUNT"]).says(QUOTA),
        Row::codes(&["ThrottlingException"]).says(THROTTLED),
        Row::codes(&["ExpiredTokenException"]).says(EXPIRED),
        Row::codes(&["ValidationException"]).says(REJECTED),
    ],
    texts: &[
        text(&[401, 403], &["temporarily is suspended", "is temporarily suspended", "violation of "]).says(BANNED),
        text(&[401, 403], &["^the bearer token included in the request is "]).says(EXPIRED),
    ],
    ..FamilyRules::NONE
};
