//! Reading the answer of a token endpoint: tolerant where it is clear what is meant, and never a panic.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::error::{RefreshError, RefreshErrorKind as Kind};
use crate::secret::Secret;
use crate::token::TokenSet;

/// Codes that mean that this refresh token will never work again. `invalid_grant` is that of RFC 6749 section 5.2; the
/// others are what servers in use send in its place.
const LOGIN_NEEDED: &[&str] = &[
    "invalid_grant",
    // The refresh token itself is dead: too old, spent before, or revoked.
    "refresh_token_expired",
    "refresh_token_reused",
    "refresh_token_invalidated",
    "invalid_refresh_token",
    "bad_refresh_token",
    "token_revoked",
    // Only the refresh token is sent to this endpoint, so it is the one that has expired.
    "token_expired",
    // The session behind the refresh token is over.
    "app_session_expired",
    "app_session_terminated",
    "account_session_expired",
    // The account is gone; only a person can say which one to log in with instead.
    "account_deactivated",
    "account_deleted",
    "account_suspended",
];

/// Codes of RFC 6749 section 5.2 that are about the client, not about the refresh token.
const MISCONFIGURED: &[&str] =
    &["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_request"];

/// A stated life outside of these bounds is taken for a mistake: the token then counts as one of unknown expiry.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Reads a token response (RFC 6749 sections 5.1 and 5.2), in JSON or form-encoded. What it leaves out is taken from
/// `previous`; `now` is when the life of the new token began.
pub(crate) fn read(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    previous: &TokenSet,
) -> Result<TokenSet, RefreshError> {
    let mut answer = Answer::parse(body);
    let access = answer.as_mut().and_then(|answer| secret(&mut answer.access_token));
    let refresh = answer.as_mut().and_then(|answer| secret(&mut answer.refresh_token));
    let failure = |kind, message| {
        let error = RefreshError::new(kind, message).with_status(status);
        match retry_after(headers, now) {
            Some(wait) if kind == Kind::Transient => error.with_retry_after(wait),
            _ => error,
        }
    };
    let Some(answer) = answer else {
        return Err(failure(Kind::Transient, "the token endpoint gave an answer that is no token response"));
    };
    match access {
        Some(access) if status.is_success() && !answer.has_error() => {
            if !access.expose().bytes().all(|b| b.is_ascii_graphic()) {
                return Err(failure(Kind::Transient, "the new access token has characters that no header can carry"));
            }
            Ok(token_set(access, refresh.or_else(|| previous.refresh().cloned()), answer.expiry(now)))
        }
        _ => {
            let (kind, code) = answer.refusal(status);
            let error = failure(kind, message(status, kind));
            Err(match code {
                Some(code) if is_known(code) || !resembles_token(code, previous) => error.with_code(code),
                _ => error,
            })
        }
    }
}

fn message(status: StatusCode, kind: Kind) -> &'static str {
    match kind {
        Kind::LoginNeeded => "the token endpoint does not accept the refresh token any more; log in again",
        Kind::Misconfigured => "the token endpoint refused the client; check its id, secret, scope and parameters",
        Kind::Transient if status.is_success() => "the token endpoint sent no access token",
        Kind::Transient => "the token endpoint refused for now",
    }
}

fn token_set(access: Secret, refresh: Option<Secret>, expires_at: Option<SystemTime>) -> TokenSet {
    let mut tokens = TokenSet::new(access);
    if let Some(refresh) = refresh {
        tokens = tokens.with_refresh(refresh);
    }
    if let Some(at) = expires_at {
        tokens = tokens.expires_at(at);
    }
    tokens
}

/// The fields that count, of whatever type the server gave them; null where it gave none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: Value,
    refresh_token: Value,
    expires_in: Value,
    expires_at: Value,
    error: Value,
    error_code: Value,
    code: Value,
}

impl Answer {
    fn parse(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        // A list is not an answer, though serde would read a struct from it.
        if body.starts_with(b"{") { serde_json::from_slice(body).ok() } else { Self::parse_form(body) }
    }

    fn parse_form(body: &[u8]) -> Option<Self> {
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match &*name {
                "access_token" => &mut answer.access_token,
                "refresh_token" => &mut answer.refresh_token,
                "expires_in" => &mut answer.expires_in,
                "expires_at" => &mut answer.expires_at,
                "error" => &mut answer.error,
                _ => continue,
            };
            *field = Value::String(value.into_owned());
        }
        (!answer.access_token.is_null() || !answer.error.is_null()).then_some(answer)
    }

    fn has_error(&self) -> bool {
        self.error.is_object() || self.error.as_str().is_some_and(|error| !error.is_empty())
    }

    /// What a failure means, and the code that says so. A server in trouble is not believed to know the token.
    fn refusal(&self, status: StatusCode) -> (Kind, Option<&str>) {
        let nested = |key| self.error.get(key).and_then(Value::as_str);
        let codes = [nested("code"), self.error.as_str(), nested("type"), self.error_code.as_str(), self.code.as_str()];
        let find = |known: &[&str]| codes.into_iter().flatten().find(|code| known.contains(code));
        if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
            if let Some(code) = find(LOGIN_NEEDED) {
                return (Kind::LoginNeeded, Some(code));
            }
            if let Some(code) = find(MISCONFIGURED) {
                return (Kind::Misconfigured, Some(code));
            }
        }
        (Kind::Transient, codes.into_iter().flatten().next())
    }

    /// The end of the new token's life, from `expires_in`, or where that is missing from `expires_at` (seconds since 1970).
    fn expiry(&self, now: SystemTime) -> Option<SystemTime> {
        let (start, seconds) =
            if self.expires_in.is_null() { (UNIX_EPOCH, &self.expires_at) } else { (now, &self.expires_in) };
        let at = start.checked_add(Duration::try_from_secs_f64(number(seconds)?).ok()?)?;
        let life = at.duration_since(now).ok()?;
        (SHORTEST_LIFE..=LONGEST_LIFE).contains(&life).then_some(at)
    }
}

/// Moves a text that is not empty out of the answer, without a copy that would stay in memory.
fn secret(value: &mut Value) -> Option<Secret> {
    match value.take() {
        Value::String(text) if !text.is_empty() => Some(Secret::new(text)),
        _ => None,
    }
}

pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok(),
    }
}

fn is_known(code: &str) -> bool {
    LOGIN_NEEDED.contains(&code) || MISCONFIGURED.contains(&code)
}

/// Whether a server has put a token where its code should be.
fn resembles_token(code: &str, tokens: &TokenSet) -> bool {
    let resembles = |token: &Secret| token.expose().contains(code) || code.contains(token.expose());
    resembles(tokens.access()) || tokens.refresh().is_some_and(resembles)
}

#[cfg(test)]
mod tests;
