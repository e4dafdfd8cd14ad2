//! Reads the answer of a token endpoint: tolerant where the meaning is clear, and never a panic.

mod answer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use self::answer::{Fields, ReadAnswer};
use super::error::{RefreshError, RefreshErrorKind as Kind};
use super::send::Reply;
use crate::credentials::{Secret, TokenSet};

/// Codes that mean that this refresh token will never work again. `invalid_grant` is from RFC 6749 section 5.2; real servers
/// send the others in its place.
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

const REFUSED_FOR_NOW: &str = "the token endpoint refused for now";

/// A stated life outside of these bounds is a mistake: the expiry then counts as unknown.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Reads a token response (RFC 6749 sections 5.1 and 5.2), in JSON or form-encoded. Missing parts are taken from
/// `previous`.
///
/// If it was cut off, its beginning is read: in a JSON object the whole members can be told from the one that is cut; in a
/// form they cannot.
pub(crate) fn read_reply(reply: &Reply, previous: &TokenSet) -> Result<TokenSet, RefreshError> {
    let Reply { status, headers, body, sent_at, cut } = reply;
    let whole = || read(*status, headers, body, *sent_at, previous);
    let Some(cut) = cut else { return whole() };
    let cut = cut.clone().with_status(*status);
    if !answer::is_object(body) {
        return Err(cut);
    }
    whole().map_err(|mut error| match error.take_refresh_token() {
        Some(refresh) => cut.with_refresh_token(refresh),
        None => cut,
    })
}

/// Reads what has come. The life of the new token began at `now`.
fn read(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    previous: &TokenSet,
) -> Result<TokenSet, RefreshError> {
    let ReadAnswer { fields, is_whole } = ReadAnswer::parse(body);
    let is_success = status.is_success();
    let sendable = fields.access.as_ref().filter(|access| access.expose().bytes().all(|byte| byte.is_ascii_graphic()));
    if let Some(access) = sendable.filter(|_| is_success && is_whole && !fields.has_error()) {
        let refresh = fields.refresh.as_ref().or(previous.refresh());
        return Ok(token_set(access.clone(), refresh.cloned(), fields.expiry(now)));
    }
    let error = failure(status, headers, &fields, is_whole, now, previous);
    // Even if the other members are wrong, the old refresh token has been replaced by a new one.
    let fresh = fields.refresh.filter(|refresh| is_success && previous.refresh() != Some(refresh));
    Err(match fresh {
        Some(refresh) if error.kind() == Kind::LoginNeeded => {
            refused_for_now(error, status).with_refresh_token(refresh)
        }
        Some(refresh) => error.with_refresh_token(refresh),
        None => error,
    })
}

fn failure(
    status: StatusCode,
    headers: &HeaderMap,
    fields: &Fields,
    is_whole: bool,
    now: SystemTime,
    previous: &TokenSet,
) -> RefreshError {
    let (kind, code) = if is_whole { fields.refusal(status) } else { (Kind::Transient, None) };
    let message = match kind {
        Kind::LoginNeeded => "the token endpoint does not accept the refresh token any more; log in again",
        Kind::Misconfigured => "the token endpoint refused the client; check its id, secret, scope and parameters",
        Kind::Transient if !is_whole && is_encoded(headers) => {
            "the token endpoint compressed its answer, although it was asked not to"
        }
        Kind::Transient if !is_whole => "the token endpoint gave an answer that is no token response",
        Kind::Transient if !status.is_success() || fields.has_error() => REFUSED_FOR_NOW,
        Kind::Transient if fields.access.is_some() => "the new access token has characters that no header can carry",
        Kind::Transient => "the token endpoint sent no access token",
    };
    let mut error = RefreshError::new(kind, message).with_status(status);
    let tokens = [Some(previous.access()), previous.refresh(), fields.access.as_ref(), fields.refresh.as_ref()];
    let is_shown = |code: &&str| is_known(code) || !tokens.into_iter().flatten().any(|token| resembles(code, token));
    if let Some(code) = code.filter(is_shown) {
        error = error.with_code(code);
    }
    match retry_after(headers, now) {
        Some(wait) if kind == Kind::Transient => error.with_retry_after(wait),
        _ => error,
    }
}

/// The failure as a transient one: the server has handed out a new refresh token, which it has not refused yet.
fn refused_for_now(error: RefreshError, status: StatusCode) -> RefreshError {
    let again = RefreshError::transient(REFUSED_FOR_NOW).with_status(status);
    error.code().map_or(again.clone(), |code| again.with_code(code))
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

impl Fields {
    /// The kind of a failure, and its code. A failing server's word about the token is not believed.
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

    /// The expiry of the new token, from `expires_in`, or else from `expires_at` (seconds since 1970).
    fn expiry(&self, now: SystemTime) -> Option<SystemTime> {
        let (start, seconds) =
            if self.expires_in.is_null() { (UNIX_EPOCH, &self.expires_at) } else { (now, &self.expires_in) };
        let at = start.checked_add(Duration::try_from_secs_f64(number(seconds)?).ok()?)?;
        let life = at.duration_since(now).ok()?;
        (SHORTEST_LIFE..=LONGEST_LIFE).contains(&life).then_some(at)
    }
}

pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// How long `Retry-After` asks to wait, in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok(),
    }
}

/// Whether the body is compressed, although that was not asked for.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_known(code: &str) -> bool {
    LOGIN_NEEDED.contains(&code) || MISCONFIGURED.contains(&code)
}

/// Whether a server has put a token where its code should be.
fn resembles(code: &str, token: &Secret) -> bool {
    token.expose().contains(code) || code.contains(token.expose())
}

#[cfg(test)]
mod tests;
