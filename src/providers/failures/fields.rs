//! What header fields say about a failure, for every family.

use http::header::WWW_AUTHENTICATE;

use super::document::BodyForm;
use super::failure::Failure;
use super::row::*;
use crate::providers::quota::{Window, WindowScope};

/// What the header fields say about the failure, if anything.
pub(super) fn meaning(failure: &Failure<'_>) -> Option<Meaning> {
    edge(failure).or_else(|| challenge(failure)).or_else(|| window(failure))
}

/// What it means if a network in front of the provider has answered.
fn edge(failure: &Failure<'_>) -> Option<Meaning> {
    let html = failure.document.shape == BodyForm::Html;
    let cloudflare = || failure.header("server").is_some_and(|server| server.eq_ignore_ascii_case("cloudflare"));
    match failure.status? {
        403 | 429 | 503 if failure.header("cf-mitigated").is_some() => Some(EGRESS),
        // The provider's own refusals are JSON.
        403 if html => Some(EGRESS),
        429 if html && cloudflare() => Some(THROTTLED_EDGE),
        409 if failure.header("x-should-retry") == Some("true") => Some(SERVER),
        _ => None,
    }
}

/// The error of a `Bearer` challenge (RFC 6750 section 3.1).
fn challenge(failure: &Failure<'_>) -> Option<Meaning> {
    if !failure.is(&[400, 401, 403]) {
        return None;
    }
    let fields = failure.headers.get_all(WWW_AUTHENTICATE).iter();
    let mut errors = fields.filter_map(|value| error_of(std::str::from_utf8(value.as_bytes()).ok()?));
    errors.find_map(|error| match error {
        "invalid_token" => Some(EXPIRED),
        "insufficient_scope" => Some(NO_RIGHT),
        _ => None,
    })
}

/// The parameter `error` of a field of challenges, which may be quoted. Quoted text is skipped as a whole.
fn error_of(challenges: &str) -> Option<&str> {
    let mut rest = challenges;
    loop {
        let (before, after) = rest.split_once('=')?;
        let name = before.trim_end().rsplit([' ', ',', '\t']).next().unwrap_or_default();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = end_of_quoted(quoted)?;
                (quoted.get(..end)?, quoted.get(end + 1..)?)
            }
            None => after.split_at_checked(after.find([',', ' ']).unwrap_or(after.len()))?,
        };
        if name.eq_ignore_ascii_case("error") {
            return Some(value);
        }
        rest = left;
    }
}

/// The index at which quoted text ends. A quote after a backslash does not end it.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// What used-up windows of a quota mean for a 429. An answer with another status failed for another reason, even if it
/// used up a window.
fn window(failure: &Failure<'_>) -> Option<Meaning> {
    if !failure.is(&[429]) {
        return None;
    }
    let by_field = |prefix: &str| failure.fields().any(|(name, _)| name.starts_with(prefix));
    let subscription = by_field("anthropic-ratelimit-unified-") || by_field("x-codex-");
    match failure.exhausted()? {
        WindowScope::Credential if subscription => Some(QUOTA),
        WindowScope::Model if subscription => Some(QUOTA_MODEL),
        WindowScope::Model if by_field("anthropic-ratelimit-") => Some(THROTTLED_MODEL),
        _ => None,
    }
}

impl Failure<'_> {
    /// The widest scope that the used-up windows limit.
    pub(super) fn exhausted(&self) -> Option<WindowScope> {
        self.window().map(|window| window.scope)
    }

    /// The used-up window that keeps the credential from being used the longest.
    pub(super) fn window(&self) -> Option<&Window> {
        // Every answer of a subscription without overage shows this window as used up; that is no refusal.
        self.quota().exhausted().filter(|window| window.name != "overage")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_challenge() {
        let table = [
            (r#"Bearer realm="example", error="invalid_token", error_description="x""#, Some("invalid_token")),
            ("Bearer error=invalid_token", Some("invalid_token")),
            (r#"Basic realm="a", Bearer realm="b", error="insufficient_scope""#, Some("insufficient_scope")),
            (r#"Bearer error = "invalid_token""#, Some("invalid_token")),
            (r#"Bearer realm="error=\"invalid_token\"""#, None),
            (r#"Bearer realm="error=invalid_token", scope="a""#, None),
            (r#"Bearer error="invalid_token"#, None),
            ("Bearer", None),
            ("=", None),
            ("", None),
        ];
        for (challenges, expected) in table {
            assert_eq!(error_of(challenges), expected, "{challenges}");
        }
    }
}
