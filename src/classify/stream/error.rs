//! What an error event says, by the words for machines in it.

use serde_json::Value;

use crate::verdict::{Kind, Verdict};

/// The verdict for the data of an error event, which may be cut short.
pub(super) fn verdict(data: &[u8]) -> Verdict {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return Verdict::new(Kind::ServerError) };
    let error = object(&value);
    let word = |name: &str| error.get(name).and_then(Value::as_str);
    let words = [word("code"), word("type"), word("status")].into_iter().flatten();
    let number = error.get("code").and_then(Value::as_u64).or_else(|| value.get("status").and_then(Value::as_u64));
    let kind = words.filter_map(by_word).next().or_else(|| number.and_then(by_number));
    Verdict::new(kind.unwrap_or(Kind::ServerError))
}

/// The object that tells of the error: inside `error`, inside `response.error`, or the event itself.
fn object(value: &Value) -> &Value {
    let value = value.get(0).unwrap_or(value);
    [value.pointer("/error"), value.pointer("/response/error")]
        .into_iter()
        .flatten()
        .find(|error| error.is_object())
        .unwrap_or(value)
}

fn by_word(word: &str) -> Option<Kind> {
    Some(match word {
        "rate_limit_exceeded" | "rate_limit_error" | "RESOURCE_EXHAUSTED" | "slow_down" => Kind::Throttled,
        "usage_limit_reached" | "insufficient_quota" => Kind::QuotaExhausted,
        "overloaded_error" | "server_is_overloaded" | "service_unavailable_error" | "UNAVAILABLE" => Kind::Overloaded,
        "authentication_error" | "invalid_api_key" | "token_expired" | "UNAUTHENTICATED" => Kind::Unauthorized,
        "permission_error" | "PERMISSION_DENIED" => Kind::Forbidden,
        "billing_error" => Kind::Billing,
        "invalid_request_error" | "invalid_prompt" | "context_length_exceeded" | "INVALID_ARGUMENT" => Kind::Rejected,
        "server_error" | "api_error" | "INTERNAL" => Kind::ServerError,
        _ => return None,
    })
}

fn by_number(status: u64) -> Option<Kind> {
    Some(match status {
        401 => Kind::Unauthorized,
        402 => Kind::Billing,
        403 => Kind::Forbidden,
        429 => Kind::Throttled,
        503 | 529 => Kind::Overloaded,
        408 | 500..=599 => Kind::ServerError,
        400..=499 => Kind::Rejected,
        _ => return None,
    })
}
