//! Anthropic's API with keys and with OAuth tokens (platform.claude.com/docs/en/api/errors).
//!
//! Windows of subscriptions are header fields and are read for every family.

use crate::providers::failures::family_rules::FamilyRules;
use crate::providers::failures::row::*;

const TEXTS: &[Row] = &[
    // Money and bans come as a plain 400.
    text(
        &[IN_STREAM, 400, 402, 403, 429],
        &["^your credit balance is too low", "^you have reached your specified api usage limits"],
    )
    .says(BILLING),
    text(&[IN_STREAM, 400, 401, 403], &["^this organization has been disabled", "^your account has been disabled"])
        .says(BANNED),
    text(&[401], &["^invalid x-api-key"]).says(INVALID),
    // The plan does not include this feature; the same request without it passes.
    text(&[IN_STREAM, 429], &["^extra usage is required for ", "^usage credits are required for "])
        .says(NOT_THIS_REQUEST),
    text(&[429], &["not your usage limit"]).says(OVERLOADED),
    text(&[IN_STREAM, 429], &["acceleration limit"]).says(THROTTLED),
    // A class of models has its own count for each minute.
    text(&[IN_STREAM, 429], &["tokens per minute", "requests per minute"]).says(THROTTLED_MODEL),
    text(&[IN_STREAM, 400, 403, 429], &["^claude ai usage limit reached"]).says(QUOTA),
    text(&[401], &["^oauth authentication is currently not supported"]).says(REJECTED),
    text(&[400, 403], &["^this credential is only authorized for use with"]).says(REJECTED),
    text(&[401, 403], &["^oauth token has been revoked", "^oauth token has expired"]).says(EXPIRED),
    text(&[403], &["api key does not have permission"]).says(NO_MODEL),
    text(&[403], &["^request not allowed"]).says(NO_RIGHT),
    text(&[403], &["^oauth token does not meet scope requirement"]).says(NOT_THIS_REQUEST),
];

pub(in crate::providers::failures) static RULES: FamilyRules = FamilyRules { texts: TEXTS, ..FamilyRules::NONE };
