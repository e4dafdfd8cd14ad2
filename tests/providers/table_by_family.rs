//! Made-up answers, family by family, and their verdicts.

use oauth_marathon::providers::failures::{Family, ProviderRules};
use oauth_marathon::verdict::{Kind, Remedy, Scope, TimeSource};

use super::answers::{inside, judge, said, sample};

const CREDENTIAL: Scope = Scope::Credential;
const MODEL: Scope = Scope::Model;
const PROVIDER: Scope = Scope::Provider;
const REQUEST: Scope = Scope::Request;

type Row<'a> = (u16, &'a str, Kind, Scope, Option<u64>);

fn check(provider: &str, rows: &[Row<'_>]) {
    for (status, body, kind, scope, wait) in rows {
        let verdict = match status {
            200 => inside(provider, None, body).expect(body),
            _ => judge(provider, *status, &[], body),
        };
        assert_eq!(said(&verdict), (*kind, *scope, *wait), "{provider} {status} {body}");
    }
}

/// As OpenAI and those that copy it write errors.
fn error(kind: &str, code: &str, message: &str) -> String {
    serde_json::json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }).to_string()
}

#[test]
fn openai() {
    let tpm = error(
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for o9-mini in organization org-Z on tokens per min (TPM): Limit 7, Used 6, Requested 5. Please try again in 644ms. Visit https://x.",
    );
    let hours = error(
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for o9 on requests per min (RPM): Limit 3. Please try again in 114h18m0s.",
    );
    let daily = error(
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for o9 in organization o on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.",
    );
    let large = error(
        "tokens",
        "rate_limit_exceeded",
        "Request too large for o9 in organization o on tokens per min (TPM): Limit 10, Requested 11.",
    );
    check(
        "openai",
        &[
            (429, &tpm, Kind::Throttled, MODEL, Some(644)),
            (429, &hours, Kind::Throttled, MODEL, Some(411_480_000)),
            (429, &daily, Kind::QuotaExhausted, MODEL, Some(432_000)),
            (429, &large, Kind::Rejected, REQUEST, None),
            (429, &error("insufficient_quota", "project_spend_limit_exceeded", "x"), Kind::Billing, CREDENTIAL, None),
            (429, &error("insufficient_quota", "not_known_yet", "x"), Kind::Billing, CREDENTIAL, None),
            (429, &error("rate_limit_error", "slow_down", "x"), Kind::Throttled, CREDENTIAL, None),
            (503, &error("service_unavailable_error", "server_is_overloaded", "x"), Kind::Overloaded, PROVIDER, None),
            (
                401,
                &error("invalid_request_error", "account_deactivated", "Your OpenAI account has been deactivated."),
                Kind::Banned,
                CREDENTIAL,
                None,
            ),
            (401, &error("invalid_request_error", "token_expired", "x"), Kind::Unauthorized, Scope::Generation, None),
            (
                401,
                r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: model.read"}}"#,
                Kind::Forbidden,
                CREDENTIAL,
                None,
            ),
            (
                403,
                &error("request_forbidden", "unsupported_country_region_territory", "x"),
                Kind::Forbidden,
                PROVIDER,
                None,
            ),
            (
                404,
                &error(
                    "invalid_request_error",
                    "model_not_found",
                    "The model `o8` does not exist or you do not have access to it.",
                ),
                Kind::Rejected,
                REQUEST,
                None,
            ),
            (400, &error("invalid_request_error", "cyber_policy", "x"), Kind::Rejected, REQUEST, None),
            (500, &error("server_error", "", "x"), Kind::ServerError, PROVIDER, None),
            (
                200,
                r#"{"type":"response.failed","response":{"error":{"code":"insufficient_quota","message":"x"}}}"#,
                Kind::Billing,
                CREDENTIAL,
                None,
            ),
            (
                200,
                r#"{"type":"response.failed","response":{"status_details":{"error":{"code":"server_is_overloaded"}}}}"#,
                Kind::Overloaded,
                PROVIDER,
                None,
            ),
            (
                200,
                r#"{"type":"error","status":400,"error":{"code":"previous_response_not_found","message":"x"}}"#,
                Kind::Rejected,
                REQUEST,
                None,
            ),
            (200, r#"{"error":{"message":"x","type":"server_error"}}"#, Kind::ServerError, PROVIDER, None),
        ],
    );
    let verdict = judge(
        "openai",
        429,
        &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1h2m3s")],
        &tpm,
    );
    assert_eq!((verdict.time_source(), verdict.retry_after().unwrap().as_secs()), (Some(TimeSource::Window), 3_723));
}

#[test]
fn codex() {
    check(
        "codex",
        &[
            (
                429,
                r#"{"error":{"type":"usage_limit_reached","plan_type":"pro","resets_at":1795340000,"resets_in_seconds":9}}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                Some(3_620_000),
            ),
            (
                429,
                r#"{"error":{"type":"usage_limit_reached","resets_at":1695340000,"resets_in_seconds":90}}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                Some(90_000),
            ),
            (403, r#"{"error":{"type":"usage_not_included"}}"#, Kind::Forbidden, CREDENTIAL, None),
            (403, r#"{"error":{"code":"deactivated_workspace"}}"#, Kind::Revoked, CREDENTIAL, None),
            (402, r#"{"detail":"Payment Required"}"#, Kind::Billing, CREDENTIAL, None),
            (
                401,
                r#"{"error":{"message":"Your authentication token has been invalidated.","code":"token_invalidated"},"status":401}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
            (401, r#"{"detail":{"code":"token_revoked","message":"x"}}"#, Kind::Unauthorized, Scope::Generation, None),
            (
                403,
                r#"{"error":{"message":"Agent runtime has been deleted.","code":"biscuit_baker_service_agent_error_status"}}"#,
                Kind::Revoked,
                CREDENTIAL,
                None,
            ),
            (
                400,
                r#"{"detail":"The 'o9-codex' model is not supported when using Codex with a ChatGPT account."}"#,
                Kind::Forbidden,
                MODEL,
                None,
            ),
            (
                400,
                r#"{"detail":"The 'o9' model requires a newer version of Codex. Please upgrade."}"#,
                Kind::Rejected,
                REQUEST,
                None,
            ),
            (503, r#"{"error":{"code":"slow_down"}}"#, Kind::Overloaded, PROVIDER, None),
            (403, "<!DOCTYPE html><title>Just a moment...</title>", Kind::Forbidden, PROVIDER, None),
            (
                200,
                r#"{"type":"response.failed","response":{"error":{"code":"usage_not_included"}}}"#,
                Kind::Forbidden,
                CREDENTIAL,
                None,
            ),
            (
                200,
                r#"{"type":"error","error":{"message":"Selected model is at capacity. Please try a different model."}}"#,
                Kind::Overloaded,
                PROVIDER,
                None,
            ),
        ],
    );
    let windows = [("x-codex-primary-used-percent", "100"), ("x-codex-primary-reset-after-seconds", "77")];
    assert_eq!(said(&judge("codex", 429, &windows, "")), (Kind::QuotaExhausted, CREDENTIAL, Some(77_000)));
}

#[test]
fn azure_openai() {
    check(
        "azure-openai",
        &[
            (
                429,
                r#"{"error":{"code":"429","message":"Rate limit is exceeded. Try again in 50 seconds."}}"#,
                Kind::Throttled,
                MODEL,
                Some(50_000),
            ),
            (
                429,
                r#"{"error":{"code":"429","message":"Your requests have exceeded the token rate limit. Please retry after 86400 seconds."}}"#,
                Kind::QuotaExhausted,
                MODEL,
                Some(86_400_000),
            ),
            (
                429,
                r#"{"error":{"code":"429","message":"The service is temporarily unable to process your request. Please try again later."}}"#,
                Kind::Overloaded,
                PROVIDER,
                None,
            ),
            (401, r#"{"error":{"code":"PermissionDenied","message":"x"}}"#, Kind::Revoked, CREDENTIAL, None),
            (
                401,
                r#"{"statusCode":401,"message":"Unauthorized. Access token is missing, invalid, or have expired."}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
            (
                400,
                r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                Kind::Rejected,
                REQUEST,
                None,
            ),
        ],
    );
}

#[test]
fn anthropic() {
    let error =
        |kind: &str, message: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
    let per_minute = error(
        "rate_limit_error",
        "This request would exceed the rate limit for your organization (5) of 80,000 output tokens per minute.",
    );
    let scope =
        error("permission_error", "OAuth token does not meet scope requirement any_of(user:profile, user:office)");
    for provider in ["anthropic", "anthropic-oauth"] {
        check(
            provider,
            &[
                (429, &per_minute, Kind::Throttled, MODEL, None),
                (429, &error("rate_limit_error", "Rate limited"), Kind::Throttled, CREDENTIAL, None),
                (
                    429,
                    &error("rate_limit_error", "Server is temporarily limiting requests (not your usage limit)"),
                    Kind::Overloaded,
                    PROVIDER,
                    None,
                ),
                (
                    429,
                    &error("rate_limit_error", "Usage credits are required for fast mode."),
                    Kind::Forbidden,
                    REQUEST,
                    None,
                ),
                (
                    400,
                    &error("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
                    Kind::Billing,
                    CREDENTIAL,
                    None,
                ),
                (402, &error("billing_error", "x"), Kind::Billing, CREDENTIAL, None),
                (
                    400,
                    &error(
                        "invalid_request_error",
                        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
                    ),
                    Kind::Billing,
                    CREDENTIAL,
                    Some(746_820_000),
                ),
                (
                    400,
                    &error("invalid_request_error", "This organization has been disabled."),
                    Kind::Banned,
                    CREDENTIAL,
                    None,
                ),
                (
                    401,
                    &error("authentication_error", "OAuth token has expired. Please obtain a new token."),
                    Kind::Unauthorized,
                    Scope::Generation,
                    None,
                ),
                (
                    401,
                    r#"{"error":{"type":"authentication_error","details":{"error_code":"token_expired"}}}"#,
                    Kind::Unauthorized,
                    Scope::Generation,
                    None,
                ),
                (403, &scope, Kind::Forbidden, REQUEST, None),
                (
                    400,
                    &error(
                        "invalid_request_error",
                        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
                    ),
                    Kind::Rejected,
                    REQUEST,
                    None,
                ),
                (
                    429,
                    &error("rate_limit_error", "Claude AI usage limit reached|1795336440"),
                    Kind::QuotaExhausted,
                    CREDENTIAL,
                    Some(60_000),
                ),
                (500, &error("api_error", "Internal server error"), Kind::ServerError, PROVIDER, None),
                (529, &error("overloaded_error", "Overloaded"), Kind::Overloaded, PROVIDER, None),
                (404, &error("not_found_error", "model: claude-x"), Kind::Rejected, REQUEST, None),
                (200, &error("overloaded_error", "Overloaded"), Kind::Overloaded, PROVIDER, None),
                (200, &error("api_error", "x"), Kind::ServerError, PROVIDER, None),
                (200, &error("invalid_request_error", "x"), Kind::Rejected, REQUEST, None),
                (200, &error("authentication_error", "x"), Kind::Unauthorized, Scope::Generation, None),
            ],
        );
    }
}

#[test]
fn windows_of_a_claude_subscription() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#;
    let unified = |fields: &[(&str, &str)]| {
        let named: Vec<_> =
            fields.iter().map(|(name, value)| (format!("anthropic-ratelimit-unified-{name}"), *value)).collect();
        let fields: Vec<_> = named.iter().map(|(name, value)| (&**name, *value)).collect();
        said(&judge("claude", 429, &fields, body))
    };
    let (later, latest) = ("1795336440", "1795340000");
    assert_eq!(
        unified(&[
            ("status", "rejected"),
            ("5h-status", "rejected"),
            ("5h-reset", later),
            ("7d-status", "allowed"),
            ("7d-reset", latest)
        ]),
        (Kind::QuotaExhausted, CREDENTIAL, Some(60_000))
    );
    // The model's window alone.
    assert_eq!(
        unified(&[
            ("5h-status", "allowed"),
            ("7d-status", "allowed"),
            ("7d_opus-status", "rejected"),
            ("7d_opus-reset", latest)
        ]),
        (Kind::QuotaExhausted, MODEL, Some(3_620_000))
    );
    assert_eq!(
        unified(&[("status", "rejected"), ("representative-claim", "seven_day_sonnet"), ("reset", later)]),
        (Kind::QuotaExhausted, MODEL, Some(60_000))
    );
    // Overage is refused with every answer.
    assert_eq!(
        unified(&[("status", "allowed"), ("overage-status", "rejected"), ("overage-reset", latest)]),
        (Kind::Throttled, CREDENTIAL, None)
    );
}

#[test]
fn google() {
    let exhausted = |detail: &str| {
        format!(r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x","details":[{detail}]}}}}"#)
    };
    let quota = |id: &str| {
        exhausted(&format!(r#"{{"violations":[{{"quotaId":"{id}","quotaValue":"7"}}]}},{{"retryDelay":"3.5s"}}"#))
    };
    let reason = |reason: &str| {
        format!(r#"[{{"error":{{"code":403,"status":"PERMISSION_DENIED","details":[{{"reason":"{reason}"}}]}}}}]"#)
    };
    for provider in ["gemini", "vertex", "gemini-code-assist"] {
        check(
            provider,
            &[
                (
                    429,
                    &quota("GenerateContentPaidTierInputTokensPerModelPerMinute"),
                    Kind::Throttled,
                    MODEL,
                    Some(3_500),
                ),
                (429, &quota("SomethingNewPerDayPerProject"), Kind::QuotaExhausted, MODEL, Some(3_500)),
                (
                    429,
                    &exhausted(r#"{"violations":[{"quotaId":"aPerMinute","quotaValue":"0"}]}"#),
                    Kind::Forbidden,
                    MODEL,
                    None,
                ),
                (403, &reason("VALIDATION_REQUIRED"), Kind::Banned, CREDENTIAL, None),
                (403, &reason("CONSUMER_SUSPENDED"), Kind::Banned, CREDENTIAL, None),
                (403, &reason("BILLING_DISABLED"), Kind::Billing, CREDENTIAL, None),
                (403, &reason("SERVICE_DISABLED"), Kind::Forbidden, CREDENTIAL, None),
                (403, &reason("IAM_PERMISSION_DENIED"), Kind::Forbidden, CREDENTIAL, None),
                (403, &reason("SUBSCRIPTION_REQUIRED"), Kind::Forbidden, CREDENTIAL, None),
                (401, &reason("ACCESS_TOKEN_EXPIRED"), Kind::Unauthorized, Scope::Generation, None),
                (401, &reason("CREDENTIALS_MISSING"), Kind::Unauthorized, Scope::Generation, None),
                (400, &reason("API_KEY_INVALID"), Kind::Revoked, CREDENTIAL, None),
                (
                    403,
                    r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key."}}"#,
                    Kind::Banned,
                    CREDENTIAL,
                    None,
                ),
                (
                    403,
                    r#"{"error":{"code":403,"message":"Permission denied: Consumer 'api_key:A' has been suspended."}}"#,
                    Kind::Banned,
                    CREDENTIAL,
                    None,
                ),
                (
                    403,
                    r#"{"error":{"message":"This service has been disabled in this account for violation of Terms of Service. Contact us."}}"#,
                    Kind::Banned,
                    CREDENTIAL,
                    None,
                ),
                (402, r#"{"error":{"message":"x","status":"RESOURCE_EXHAUSTED"}}"#, Kind::Billing, CREDENTIAL, None),
                (
                    503,
                    r#"{"error":{"code":503,"message":"This model is busy","status":"UNAVAILABLE"}}"#,
                    Kind::Overloaded,
                    PROVIDER,
                    None,
                ),
                (504, r#"{"error":{"code":504,"status":"DEADLINE_EXCEEDED"}}"#, Kind::ServerError, PROVIDER, None),
                (499, r#"{"error":{"code":499,"status":"CANCELLED"}}"#, Kind::ServerError, PROVIDER, None),
                (
                    429,
                    &exhausted(r#"{"reason":"MODEL_CAPACITY_EXHAUSTED"},{"retryDelay":"12s"}"#),
                    Kind::Overloaded,
                    PROVIDER,
                    Some(12_000),
                ),
                (
                    429,
                    &exhausted(r#"{"reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetDelay":"18h31m10s"}}"#),
                    Kind::QuotaExhausted,
                    MODEL,
                    Some(66_670_000),
                ),
                (200, r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#, Kind::Overloaded, PROVIDER, None),
                (200, r#"{"error":{"status":"INTERNAL"}}"#, Kind::ServerError, PROVIDER, None),
                (
                    200,
                    r#"{"event_type":"error","error":{"code":"not_found","message":"x"}}"#,
                    Kind::Rejected,
                    REQUEST,
                    None,
                ),
            ],
        );
    }
    let plain = exhausted("");
    check("gemini", &[(429, &plain, Kind::Throttled, MODEL, None)]);
    check("vertex", &[(429, &plain, Kind::Overloaded, PROVIDER, None)]);
    let hours = plain
        .replace("\"x\"", "\"You have exhausted your capacity on this model. Your quota will reset after 3h2m1s.\"");
    check("gemini-code-assist", &[(429, &hours, Kind::QuotaExhausted, MODEL, Some(10_921_000))]);
}

#[test]
fn copilot() {
    let code = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"x"}}}}"#);
    let notice = |id: &str| format!(r#"{{"message":"x","error_details":{{"notification_id":"{id}"}}}}"#);
    check(
        "github-copilot",
        &[
            (429, &code("user_model_rate_limited:enterprise"), Kind::Throttled, MODEL, None),
            (429, &code("agent_mode_limit_exceeded"), Kind::Throttled, CREDENTIAL, None),
            (429, &code("model_overloaded"), Kind::Overloaded, PROVIDER, None),
            (503, &code("upstream_provider_rate_limit"), Kind::Overloaded, PROVIDER, None),
            (402, &code("free_quota_exceeded"), Kind::QuotaExhausted, CREDENTIAL, None),
            (
                429,
                r#"{"message":"Please try again in 15 hours 23 minutes.","code":"rate_limited"}"#,
                Kind::Throttled,
                CREDENTIAL,
                Some(55_380_000),
            ),
            (401, "IDE token expired: unauthorized: token expired", Kind::Unauthorized, Scope::Generation, None),
            (403, &notice("subscription_ended"), Kind::Forbidden, CREDENTIAL, None),
            (403, &notice("billing_locked"), Kind::Billing, CREDENTIAL, None),
            (403, &notice("spammy_user"), Kind::Banned, CREDENTIAL, None),
            (424, "", Kind::ServerError, PROVIDER, None),
            (422, "", Kind::Rejected, REQUEST, None),
            (
                200,
                r#"{"type":"error","error":{"code":"user_global_rate_limited:enterprise","message":"x"}}"#,
                Kind::Throttled,
                CREDENTIAL,
                None,
            ),
        ],
    );
}

#[test]
fn openrouter() {
    let error =
        |code: u16, metadata: &str| format!(r#"{{"error":{{"code":{code},"message":"x","metadata":{metadata}}}}}"#);
    let availability = |code: &str| format!(r#"{{"error":{{"message":"x","availability":{{"code":"{code}"}}}}}}"#);
    check(
        "openrouter",
        &[
            (
                429,
                &error(429, r#"{"raw":"m is temporarily rate-limited upstream","provider_name":"P"}"#),
                Kind::Overloaded,
                PROVIDER,
                None,
            ),
            (402, &error(402, r#"{"limit_source":"openrouter_key_limit"}"#), Kind::Billing, CREDENTIAL, None),
            (402, &error(402, r#"{"limit_source":"openrouter_in_flight_budget"}"#), Kind::Throttled, CREDENTIAL, None),
            (403, &error(403, r#"{"reasons":["violence"],"flagged_input":"x"}"#), Kind::Rejected, REQUEST, None),
            (
                403,
                &error(403, r#"{"resets_at":"2026-11-22T09:33:00Z"}"#),
                Kind::QuotaExhausted,
                CREDENTIAL,
                Some(3_600_000),
            ),
            (
                429,
                &error(429, r#"{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795336440000"}}"#),
                Kind::Throttled,
                CREDENTIAL,
                Some(60_000),
            ),
            (502, &error(502, r#"{"error_type":"provider_unavailable"}"#), Kind::ServerError, PROVIDER, None),
            (503, &availability("capacity_exhausted"), Kind::Overloaded, PROVIDER, None),
            (404, &availability("no_endpoints"), Kind::Rejected, REQUEST, None),
            (401, r#"{"error":{"code":401,"message":"No auth credentials found"}}"#, Kind::Revoked, CREDENTIAL, None),
            (200, r#"{"choices":[{"error":{"code":502,"message":"x"}}]}"#, Kind::ServerError, PROVIDER, None),
        ],
    );
}

#[test]
fn groq_mistral_and_xai() {
    check(
        "groq",
        &[
            (
                429,
                &error(
                    "tokens",
                    "rate_limit_exceeded",
                    "Rate limit reached on tokens per minute (TPM): Limit 1. Please try again in 6.780999999s. Need more tokens? See /settings/billing",
                ),
                Kind::Throttled,
                MODEL,
                Some(6_781),
            ),
            (
                429,
                &error("requests", "rate_limit_exceeded", "Rate limit reached on requests per day (RPD): Limit 1."),
                Kind::QuotaExhausted,
                MODEL,
                None,
            ),
            (413, &error("tokens", "rate_limit_exceeded", "Request too large"), Kind::Rejected, REQUEST, None),
            (498, "", Kind::Overloaded, PROVIDER, None),
            (
                401,
                &error("invalid_request_error", "invalid_api_key", "Invalid API Key"),
                Kind::Revoked,
                CREDENTIAL,
                None,
            ),
            (400, &error("invalid_request_error", "model_decommissioned", "x"), Kind::Rejected, REQUEST, None),
            (403, "<html>Sorry, you have been blocked</html>", Kind::Forbidden, PROVIDER, None),
        ],
    );
    check(
        "mistral",
        &[
            (429, r#"{"message":"Requests rate limit exceeded"}"#, Kind::Throttled, CREDENTIAL, None),
            (
                503,
                r#"{"object":"error","message":"x","type":"invalid_request_error","code":"3505"}"#,
                Kind::Overloaded,
                PROVIDER,
                None,
            ),
            (429, r#"{"object":"error","message":"x","code":3505}"#, Kind::Overloaded, PROVIDER, None),
            (401, r#"{"message":"Unauthorized","request_id":"r"}"#, Kind::Revoked, CREDENTIAL, None),
            (400, r#"{"object":"error","code":"1500"}"#, Kind::Rejected, REQUEST, None),
        ],
    );
    check(
        "xai",
        &[
            (
                429,
                r#"{"code":"Some resource has been exhausted","error":"Too many requests for team 1 and model grok-9."}"#,
                Kind::Throttled,
                MODEL,
                None,
            ),
            (
                429,
                r#"{"code":"x","error":"Your team 1 has either used all available credits or reached its monthly spending limit."}"#,
                Kind::Billing,
                CREDENTIAL,
                None,
            ),
            (
                403,
                r#"{"code":"permission-denied","error":"Your newly created team doesn't have any credits or licenses yet."}"#,
                Kind::Billing,
                CREDENTIAL,
                None,
            ),
            (429, r#"{"code":"subscription:free-usage-exhausted","error":"x"}"#, Kind::QuotaExhausted, MODEL, None),
            (
                403,
                r#"{"code":"unauthenticated:bad-credentials","error":"x"}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
            (
                403,
                r#"{"code":"permission-denied","error":"Access to the chat endpoint is denied. Please check."}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
            (
                404,
                r#"{"code":"x","error":"The model grok-0 does not exist or your team 1 does not have access to it."}"#,
                Kind::Rejected,
                REQUEST,
                None,
            ),
        ],
    );
}

#[test]
fn hosts_of_models() {
    let message = |message: &str| format!(r#"{{"error":{{"message":"{message}"}}}}"#);
    check(
        "deepseek",
        &[
            (402, &message("Insufficient Balance"), Kind::Billing, CREDENTIAL, None),
            (503, "", Kind::Overloaded, PROVIDER, None),
        ],
    );
    check(
        "together",
        &[(403, &message("too long"), Kind::Rejected, REQUEST, None), (524, "", Kind::ServerError, PROVIDER, None)],
    );
    let suspended = error(
        "error",
        "PRECONDITION_FAILED",
        "Account jo is suspended, possibly due to reaching the monthly spending limit.",
    );
    check(
        "fireworks",
        &[(412, &suspended, Kind::Billing, CREDENTIAL, None), (403, "", Kind::Revoked, CREDENTIAL, None)],
    );
    check(
        "cohere",
        &[
            (
                429,
                r#"{"message":"You are using a Trial key, which is limited to 5 API calls / month."}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                None,
            ),
            (
                429,
                r#"{"message":"trial token rate limit exceeded, limit is 100000 tokens per minute"}"#,
                Kind::Throttled,
                CREDENTIAL,
                None,
            ),
            (499, "", Kind::ServerError, PROVIDER, None),
        ],
    );
    check(
        "ollama-cloud",
        &[
            (
                429,
                r#"{"error":"you (jo) have reached your session usage limit, please wait or upgrade to continue"}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                None,
            ),
            (403, r#"{"error":"your subscription payment is past due: https://x"}"#, Kind::Billing, CREDENTIAL, None),
        ],
    );
    check(
        "kimi",
        &[
            (429, r#"{"error":{"type":"engine_overloaded_error","message":"x"}}"#, Kind::Overloaded, PROVIDER, None),
            (
                429,
                r#"{"error":{"type":"rate_limit_reached_error","message":"Your account jo request reached organization max RPM: 3, please try again after 1 seconds"}}"#,
                Kind::Throttled,
                CREDENTIAL,
                Some(1_000),
            ),
            (
                429,
                r#"{"error":{"type":"exceeded_current_quota_error","message":"x"}}"#,
                Kind::Billing,
                CREDENTIAL,
                None,
            ),
            (
                403,
                r#"{"error":{"type":"access_terminated_error","message":"You've reached your usage limit for this billing cycle."}}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                None,
            ),
            (
                403,
                r#"{"error":{"message":"Kimi For Coding is currently only available for Coding Agents such as Kimi CLI."}}"#,
                Kind::Forbidden,
                REQUEST,
                None,
            ),
        ],
    );
    let code = |code: &str| {
        format!(r#"{{"error":{{"code":"{code}","message":"Your limit will reset at 2026-11-27 21:31:39"}}}}"#)
    };
    check(
        "zai",
        &[
            (429, &code("1302"), Kind::Throttled, CREDENTIAL, None),
            (429, &code("1305"), Kind::Overloaded, PROVIDER, None),
            (429, &code("1308"), Kind::QuotaExhausted, CREDENTIAL, None),
            (429, &code("1313"), Kind::Banned, CREDENTIAL, None),
            (429, &code("1113"), Kind::Billing, CREDENTIAL, None),
        ],
    );
    let code = |code: &str| format!(r#"{{"code":"{code}","message":"x","request_id":"r"}}"#);
    check(
        "qwen",
        &[
            (429, &code("Throttling.BurstRate"), Kind::Throttled, MODEL, None),
            (429, &code("Throttling.AllocationQuota"), Kind::Throttled, MODEL, None),
            (429, &code("insufficient_quota"), Kind::QuotaExhausted, CREDENTIAL, None),
            (403, &code("AllocationQuota.FreeTierOnly"), Kind::Billing, MODEL, None),
            (400, &code("Arrearage"), Kind::Billing, CREDENTIAL, None),
            (401, &code("InvalidApiKey"), Kind::Revoked, CREDENTIAL, None),
            (403, &code("Model.AccessDenied"), Kind::Forbidden, MODEL, None),
            (400, &code("DataInspectionFailed"), Kind::Rejected, REQUEST, None),
            (
                401,
                r#"{"error":{"message":"invalid access token or token expired"}}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
        ],
    );
    assert_eq!(
        said(&inside("qwen", Some("error"), &code("Throttling.RateQuota")).unwrap()),
        (Kind::Throttled, MODEL, None)
    );
}

#[test]
fn aws() {
    let named = |provider: &str, status: u16, name: &str, message: &str| {
        said(&judge(provider, status, &[("x-amzn-errortype", name)], &format!(r#"{{"message":"{message}"}}"#)))
    };
    let table = [
        (429, "ThrottlingException:http://internal/", "Too many requests", Kind::Throttled, MODEL),
        (429, "ThrottlingException", "Too many tokens per day, please wait.", Kind::QuotaExhausted, MODEL),
        (400, "ServiceQuotaExceededException", "x", Kind::QuotaExhausted, CREDENTIAL),
        (429, "ModelNotReadyException", "x", Kind::Overloaded, PROVIDER),
        (424, "ModelErrorException", "x", Kind::ServerError, PROVIDER),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            Kind::Forbidden,
            MODEL,
        ),
        (
            403,
            "AccessDeniedException",
            "jo is not authorized to perform: bedrock:InvokeModel",
            Kind::Forbidden,
            CREDENTIAL,
        ),
        (
            403,
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT",
            Kind::Billing,
            CREDENTIAL,
        ),
        (404, "ResourceNotFoundException", "Model use case details have not been submitted", Kind::Forbidden, MODEL),
        (403, "ExpiredTokenException", "x", Kind::Unauthorized, Scope::Generation),
        (403, "UnrecognizedClientException", "x", Kind::Revoked, CREDENTIAL),
        (403, "InvalidSignatureException", "x", Kind::Rejected, REQUEST),
        (500, "InternalServerException", "x", Kind::ServerError, PROVIDER),
    ];
    for (status, name, message, kind, scope) in table {
        assert_eq!(named("bedrock", status, name, message), (kind, scope, None), "{name}");
    }
    let wait = judge("bedrock", 429, &[("x-amzn-errortype", "ThrottlingException"), ("x-amz-retry-after", "1250")], "");
    assert_eq!(said(&wait), (Kind::Throttled, MODEL, Some(1_250)));
    let event = |name: &str| said(&inside("bedrock", Some(name), r#"{"message":"x"}"#).unwrap());
    assert_eq!(event("throttlingException"), (Kind::Throttled, MODEL, None));
    assert_eq!(event("modelStreamErrorException"), (Kind::ServerError, PROVIDER, None));
    assert_eq!(event("validationException"), (Kind::Rejected, REQUEST, None));
    check(
        "kiro",
        &[
            (
                402,
                r#"{"message":"You have reached the limit.","reason":"MONTHLY_REQUEST_COUNT"}"#,
                Kind::QuotaExhausted,
                CREDENTIAL,
                None,
            ),
            (
                403,
                r#"{"message":"The bearer token included in the request is invalid."}"#,
                Kind::Unauthorized,
                Scope::Generation,
                None,
            ),
            (403, r#"{"message":"Your User ID (1) temporarily is suspended."}"#, Kind::Banned, CREDENTIAL, None),
        ],
    );
}

#[test]
fn an_oauth_server() {
    let rules = ProviderRules::new(Family::OAuthServer);
    let judge = |status, body: &str| said(&sample(status, &[], body).judged_by(&rules).unwrap());
    let code = |code: &str| format!(r#"{{"error":"{code}","error_description":"Please try again in 5s."}}"#);
    assert_eq!(judge(400, &code("invalid_grant")), (Kind::Revoked, CREDENTIAL, None));
    assert_eq!(judge(401, r#"{"error":{"code":"token_expired","message":"x"}}"#), (Kind::Revoked, CREDENTIAL, None));
    assert_eq!(judge(400, &code("invalid_scope")), (Kind::Rejected, REQUEST, None));
    assert_eq!(judge(400, r#"{"error":"slow_down","interval":10}"#), (Kind::Throttled, CREDENTIAL, Some(10_000)));
    assert_eq!(judge(403, "{}"), (Kind::Forbidden, CREDENTIAL, None));
    assert_eq!(judge(500, ""), (Kind::ServerError, PROVIDER, None));
}

#[test]
fn a_remedy_says_what_a_person_can_do() {
    let remedy = |provider: &str, status, body: &str| judge(provider, status, &[], body).remedy();
    assert_eq!(
        remedy("anthropic", 400, r#"{"error":{"message":"This organization has been disabled."}}"#),
        Some(Remedy::ContactProvider)
    );
    assert_eq!(
        remedy("gemini", 403, r#"{"error":{"message":"Your API key was reported as leaked."}}"#),
        Some(Remedy::ReplaceKey)
    );
    assert_eq!(
        remedy("gemini", 403, r#"{"error":{"details":[{"reason":"VALIDATION_REQUIRED"}]}}"#),
        Some(Remedy::Verify)
    );
    assert_eq!(remedy("openai", 402, ""), Some(Remedy::Pay));
    assert_eq!(remedy("openai", 429, ""), None);
    assert!(!Remedy::Verify.to_string().contains("://"));
}

#[test]
fn families_are_told_from_ids_and_origins() {
    for (id, family) in [
        ("OpenAI", Family::OpenAi),
        ("github_copilot", Family::Copilot),
        ("Google Vertex", Family::Vertex),
        ("z.ai", Family::Zai),
        ("mine", Family::Generic),
    ] {
        assert_eq!(ProviderRules::for_provider(id).family(), family, "{id}");
    }
    for (origin, family) in [
        ("https://api.openai.com", Family::OpenAi),
        ("https://API.OPENAI.COM:443", Family::OpenAi),
        ("https://me.openai.azure.com", Family::AzureOpenAi),
        ("https://us-east1-aiplatform.googleapis.com", Family::Vertex),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", Family::Bedrock),
        ("https://q.us-east-1.amazonaws.com", Family::Kiro),
        ("https://s3.amazonaws.com", Family::Generic),
        ("https://evilapi.openai.com.example", Family::Generic),
        ("https://notopenrouter.ai", Family::Generic),
        ("http://localhost:8080", Family::Generic),
        ("nonsense", Family::Generic),
    ] {
        assert_eq!(ProviderRules::for_origin(origin).family(), family, "{origin}");
    }
}
