//! What must not be believed: words of the user, wrong types, numbers beyond reason, bodies cut short.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::providers::failures::{Family, ProviderRules, Rule};
use oauth_marathon::verdict::classify_fn;
use oauth_marathon::verdict::{Kind, Remedy, Scope, TimeSource, Verdict};
use oauth_marathon::{Credential, MarathonLayer, Pool, RequestContext, Secret};
use oauth_marathon_test::invariants::check_classifier;
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{ServiceBuilder, ServiceExt};

use super::answers::{inside, judge, said, sample};

pub(crate) const FAMILIES: [Family; 25] = [
    Family::OpenAi,
    Family::Codex,
    Family::AzureOpenAi,
    Family::Anthropic,
    Family::ClaudeSubscription,
    Family::Gemini,
    Family::Vertex,
    Family::CodeAssist,
    Family::Copilot,
    Family::OpenRouter,
    Family::Groq,
    Family::Mistral,
    Family::XAi,
    Family::DeepSeek,
    Family::Together,
    Family::Fireworks,
    Family::Cohere,
    Family::Bedrock,
    Family::Kiro,
    Family::DashScope,
    Family::Kimi,
    Family::Zai,
    Family::Ollama,
    Family::OAuthServer,
    Family::Generic,
];

/// Sentences and codes that mean a lot where a provider says them.
const WORDS: &str = "insufficient_quota overloaded_error Your credit balance is too low. This organization has been disabled. \
    OAuth token has been revoked. Your API key was reported as leaked. Please try again in 5s. usage limit reached|1795336440";

#[test]
fn what_a_request_said_is_not_believed() {
    let quoted = [
        serde_json::json!({ "error": { "message": format!("Invalid value: got '{WORDS}'"), "param": "messages[0].content", "code": "invalid_value" } }),
        // With a sentence right at the start.
        serde_json::json!({ "error": { "message": WORDS, "param": "input", "type": "invalid_request_error" } }),
        serde_json::json!({ "detail": [{ "loc": ["body"], "msg": WORDS, "input": WORDS }] }),
        serde_json::json!({ "error": { "message": "bad" }, "request": { "error": { "code": "insufficient_quota", "message": WORDS } } }),
        serde_json::json!({ "error": { "message": "bad", "input": WORDS, "code": { "code": "insufficient_quota" } } }),
    ];
    for family in FAMILIES {
        for body in &quoted {
            let rules = ProviderRules::new(family);
            let verdict = sample(400, &[], &body.to_string()).judged_by(&rules).unwrap();
            assert_eq!(said(&verdict), (Kind::Rejected, Scope::Request, None), "{family:?} {body}");
        }
        let html = format!("<html><body>{WORDS}</body></html>");
        let verdict = sample(404, &[], &html).judged_by(&ProviderRules::new(family)).unwrap();
        assert_eq!(said(&verdict), (Kind::Rejected, Scope::Request, None), "{family:?}");
    }
}

#[test]
fn a_status_that_a_sentence_does_not_belong_to_is_stronger() {
    let body = serde_json::json!({ "error": { "message": WORDS, "type": "server_error" } }).to_string();
    for provider in ["openai", "anthropic", "gemini", "openrouter", "copilot", "generic"] {
        assert_eq!(judge(provider, 500, &[], &body).kind(), Kind::ServerError, "{provider}");
    }
}

#[test]
fn an_unknown_provider_is_not_believed_its_sentences() {
    let body = r#"{"error":{"message":"Please try again in 5s."}}"#;
    assert_eq!(said(&judge("mine", 429, &[], body)), (Kind::Throttled, Scope::Credential, None));
    assert_eq!(said(&judge("openai", 429, &[], body)), (Kind::Throttled, Scope::Credential, Some(5_000)));
    let disabled = r#"{"error":{"message":"This organization has been disabled."}}"#;
    assert_eq!(judge("mine", 400, &[], disabled).kind(), Kind::Rejected);
    // Codes are believed.
    let code = r#"{"error":{"code":"insufficient_quota"}}"#;
    assert_eq!(judge("mine", 429, &[], code).kind(), Kind::Billing);
}

#[test]
fn the_last_time_in_a_message_is_its_own() {
    let body = r#"{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"Rate limit reached for `try again in 1s`. Please try again in 20s."}}"#;
    let verdict = judge("openai", 429, &[], body);
    assert_eq!((said(&verdict).2, verdict.time_source()), (Some(20_000), Some(TimeSource::Text)));
}

#[test]
fn wrong_types_and_huge_numbers_leave_the_status() {
    let values = [
        "null",
        "true",
        "-1",
        "1.5",
        "1e308",
        "18446744073709551616",
        "\"\"",
        "\" \"",
        "[]",
        "[[]]",
        "{}",
        "{\"a\":{}}",
        "[null,1,\"x\"]",
    ];
    let places = [
        "X",
        "{\"error\":X}",
        "{\"detail\":X}",
        "{\"message\":X}",
        "{\"code\":X,\"error\":X}",
        "{\"error\":{\"code\":X,\"type\":X,\"message\":X,\"status\":X,\"param\":null}}",
        "{\"error\":{\"details\":X,\"metadata\":X,\"availability\":X,\"innererror\":X,\"errors\":X}}",
        "{\"error\":{\"details\":[{\"reason\":X,\"metadata\":X,\"violations\":X}]}}",
        "{\"error\":{\"details\":[{\"metadata\":{\"quota_limit\":X,\"quotaResetTimeStamp\":X},\"violations\":[{\"quotaId\":X,\"quotaValue\":X}]}]}}",
        "{\"error\":{\"metadata\":{\"headers\":X,\"raw\":null}},\"headers\":X,\"response\":X,\"choices\":X}",
        "[X]",
        "[{\"error\":X}]",
    ];
    for place in places {
        for value in values {
            let body = place.replace('X', value);
            for provider in ["openai", "codex", "gemini", "generic"] {
                let kind = |status| judge(provider, status, &[], &body).kind();
                // Of metadata even the presence says something to OpenRouter, which is therefore not here.
                assert_eq!(
                    (kind(429), kind(401), kind(500)),
                    (Kind::Throttled, Kind::Unauthorized, Kind::ServerError),
                    "{provider} {body}"
                );
            }
        }
    }
    for number in ["1e30", "1e308", "99999999999999999999999999", "-5", "\"1e9\"", "null", "\"NaN\""] {
        for member in ["resets_at", "resets_in_seconds", "retry_after", "retry_after_ms"] {
            let body = format!(r#"{{"error":{{"type":"usage_limit_reached","{member}":{number}}}}}"#);
            let verdict = judge("codex", 429, &[], &body);
            let (kind, _, wait) = said(&verdict);
            assert_eq!(kind, Kind::QuotaExhausted, "{body}");
            assert!(wait.is_none_or(|wait| wait == 315_360_000_000), "{body} {wait:?}");
        }
    }
}

#[test]
fn codes_are_read_as_numbers_and_as_texts() {
    for code in ["1302", "\"1302\""] {
        let body = format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#);
        assert_eq!(judge("zai", 400, &[], &body).kind(), Kind::Throttled, "{body}");
    }
    for code in ["429", "\"429\""] {
        let event = format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#);
        let verdict = inside("openrouter", None, &event).unwrap();
        assert_eq!((verdict.kind(), verdict.status().unwrap().as_u16()), (Kind::Throttled, 429), "{event}");
    }
}

#[test]
fn no_frame_of_a_good_stream_is_an_error() {
    let frames = [
        r#"{"type":"response.completed","response":{"status":"completed","error":null}}"#,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
        r#"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":100}}}"#,
        r#"{"choices":[{"delta":{"content":"{\"error\":{\"code\":\"insufficient_quota\"}}"}}]}"#,
        r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"error"}}"#,
        r#"{"type":"ping"}"#,
        "[DONE]",
        "",
    ];
    for family in FAMILIES {
        for frame in frames {
            let verdict = sample(200, &[], "").event_judged_by(&ProviderRules::new(family), None, frame.as_bytes());
            assert_eq!(verdict, None, "{family:?} {frame}");
        }
    }
}

#[test]
fn a_window_that_the_answer_itself_used_up_is_no_reason_for_another_failure() {
    let windows = [("x-codex-primary-used-percent", "100"), ("x-codex-primary-reset-after-seconds", "77")];
    let event = r#"{"error":{"type":"server_error","message":"x"}}"#;
    let rules = ProviderRules::for_provider("codex");
    let verdict = sample(200, &windows, "").event_judged_by(&rules, None, event.as_bytes()).unwrap();
    assert_eq!(said(&verdict), (Kind::ServerError, Scope::Provider, None));
    assert_eq!(said(&judge("codex", 503, &windows, "")), (Kind::Overloaded, Scope::Provider, None));
    assert_eq!(said(&judge("codex", 429, &windows, "")), (Kind::QuotaExhausted, Scope::Credential, Some(77_000)));
}

#[test]
fn an_answer_that_did_not_fail_is_not_judged() {
    for status in [100, 200, 204, 304, 399] {
        let exhausted = [("x-codex-primary-used-percent", "100"), ("retry-after", "9")];
        let body = r#"{"error":{"code":"insufficient_quota"}}"#;
        for family in FAMILIES {
            assert_eq!(sample(status, &exhausted, body).judged_by(&ProviderRules::new(family)), None);
        }
    }
}

#[test]
fn a_rule_of_the_users_goes_first_and_gets_the_stated_time() {
    let rules = ProviderRules::for_provider("openai")
        .rule(Rule::new(Verdict::new(Kind::QuotaExhausted).with_remedy(Remedy::Pay)).code("fair_use").status(429))
        .rule(Rule::new(Verdict::new(Kind::Overloaded)).message("Model Is Busy"))
        .rule(Rule::new(Verdict::new(Kind::Banned)).header("X-Account", "closed"))
        .rule(Rule::new(Verdict::new(Kind::Billing)).code("fair_use"));
    let judge = |status, headers: &[(&str, &str)], body: &str| sample(status, headers, body).judged_by(&rules).unwrap();
    let fair_use = judge(429, &[("retry-after", "7")], r#"{"error":{"code":"FAIR_USE:daily"}}"#);
    assert_eq!(
        (said(&fair_use), fair_use.remedy()),
        ((Kind::QuotaExhausted, Scope::Credential, Some(7_000)), Some(Remedy::Pay))
    );
    assert_eq!(judge(403, &[], r#"{"error":{"code":"fair_use"}}"#).kind(), Kind::Billing);
    assert_eq!(judge(409, &[], r#"{"error":{"message":"The model is busy."}}"#).kind(), Kind::Overloaded);
    assert_eq!(judge(409, &[], r#"{"note":"The model is busy."}"#).kind(), Kind::Rejected);
    assert_eq!(judge(400, &[("x-account", " closed ")], "").kind(), Kind::Banned);
    assert_eq!(judge(429, &[], r#"{"error":{"code":"insufficient_quota"}}"#).kind(), Kind::Billing);
}

#[test]
fn the_rules_for_classifiers_are_kept() {
    // The properties ask all of them; these differ the most.
    for family in [Family::Generic, Family::Codex, Family::CodeAssist] {
        check_classifier(&ProviderRules::new(family), 1).unwrap();
    }
}

fn provider(status: u16, body: &'static str) -> ScriptedProvider {
    ScriptedProvider::new().otherwise(Reply::status(status).body(body))
}

async fn kind_through(layer: MarathonLayer, status: u16, body: &'static str) -> Kind {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let context = RequestContext::new();
    let client = ServiceBuilder::new().layer(layer).service(provider(status, body));
    let noted = seen.clone();
    context
        .scope(async move {
            let request = Request::post("https://api.example.com/v1/chat").body(Full::<Bytes>::from("{}")).unwrap();
            let answer = client.oneshot(request).await.unwrap();
            let report = RequestContext::of(answer.extensions());
            *noted.lock().unwrap() = report.and_then(|report| report.attempts().first()?.verdict);
        })
        .await;
    seen.lock().unwrap().map(|verdict: Verdict| verdict.kind()).unwrap()
}

fn pool(id: &str) -> Pool {
    let pool = Pool::builder(id).origin("https://api.example.com");
    let pool =
        pool.credential(Credential::new("a", Secret::new("t-a"))).credential(Credential::new("b", Secret::new("t-b")));
    pool.build().unwrap()
}

const NO_CREDITS: &str = r#"{"error":{"message":"Your credit balance is too low to access the API."}}"#;

#[tokio::test(start_paused = true)]
async fn the_stack_asks_the_rules_of_its_pools_provider() {
    assert_eq!(kind_through(MarathonLayer::new(pool("anthropic")), 429, NO_CREDITS).await, Kind::Billing);
    assert_eq!(kind_through(MarathonLayer::new(pool("mine")), 429, NO_CREDITS).await, Kind::Throttled);
    let told = MarathonLayer::new(pool("mine")).rules(ProviderRules::new(Family::Anthropic));
    assert_eq!(kind_through(told, 429, NO_CREDITS).await, Kind::Billing);
    // The user's classifiers go first, in whatever order they were added.
    let own = classify_fn(|answer| (answer.status() == 429).then(|| Verdict::new(Kind::QuotaExhausted)));
    let own = MarathonLayer::new(pool("mine")).classifier(own).rules(ProviderRules::new(Family::Anthropic));
    assert_eq!(kind_through(own, 429, NO_CREDITS).await, Kind::QuotaExhausted);
}

#[tokio::test]
async fn the_rules_serve_a_classify_layer_alone() {
    let layer = ClassifyLayer::with(ProviderRules::for_provider("anthropic"));
    let client = ServiceBuilder::new().layer(layer).service(provider(400, NO_CREDITS));
    let answer = client.oneshot(Request::new(Full::<Bytes>::default())).await.unwrap();
    assert_eq!(answer.extensions().get::<Verdict>().map(Verdict::kind), Some(Kind::Billing));
}
