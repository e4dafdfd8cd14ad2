//! Judges an answer by the rules of every family: two bytes of status, lines of header fields, an empty line and a
//! body.
#![no_main]

mod head;

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::verdict::{Answer, Classifier};

const PROVIDERS: [&str; 25] = [
    "openai",
    "codex",
    "azure",
    "anthropic",
    "claude",
    "gemini",
    "vertex",
    "code-assist",
    "copilot",
    "openrouter",
    "groq",
    "mistral",
    "xai",
    "deepseek",
    "together",
    "fireworks",
    "cohere",
    "bedrock",
    "kiro",
    "dashscope",
    "kimi",
    "zai",
    "ollama",
    "oauth",
    "generic",
];

fuzz_target!(|data: &[u8]| {
    let [low, high, rest @ ..] = data else { return };
    let status = 400 + u16::from_le_bytes([*low, *high]) % 600;
    let (headers, body) = head::split(rest);
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    let answer = Answer::new(StatusCode::from_u16(status).unwrap(), &headers, now).with_body(body, true);
    for provider in PROVIDERS {
        let verdict = ProviderRules::for_provider(provider).answer(&answer).unwrap();
        assert!(!verdict.is_success());
        assert!(verdict.retry_after().is_none_or(|wait| wait <= Duration::from_secs(10 * 365 * 86_400)));
    }
});
