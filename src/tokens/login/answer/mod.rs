//! Reads the answers of the token endpoint and the device endpoint for a login: tolerant where the meaning is clear.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::error::{LoginError, LoginErrorKind, in_trouble};
use super::identity::Whose;
use crate::credentials::origin::parse_endpoint;
use crate::credentials::{Secret, TokenSet};
use crate::tokens::refresh::send::Reply;
use crate::tokens::refresh::{RefreshError, token_response};

/// The interval if the server names none (RFC 8628 section 3.5).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
/// A device code's life if the server leaves it out, although it must not.
const DEFAULT_LIFE: Duration = Duration::from_secs(900);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The meaning of a token endpoint's answer.
#[derive(Debug)]
pub(super) enum TokenAnswer {
    Tokens(TokenSet, Whose),
    /// The device has not been confirmed yet (RFC 8628 section 3.5).
    Pending,
    /// Not confirmed yet, and polled too often. Holds the new pause between polls, if the server names one, as GitHub's
    /// does.
    SlowDown(Option<Duration>),
    /// The login failed. The duration is how long the server asks to wait, if it does.
    Failed(LoginError, Option<Duration>),
}

/// Reads the answer to a code or a device code. That code is `spent`, and is not shown even if the server repeats it.
pub(super) fn tokens(reply: Result<Reply, RefreshError>, spent: &Secret) -> TokenAnswer {
    let failed = |mut error: RefreshError| {
        // A refresh token alone is useless here, because only an access token can tell whose it is.
        drop(error.take_refresh_token());
        let retry_after = error.retry_after();
        TokenAnswer::Failed(LoginError::exchange(error), retry_after)
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return failed(error),
    };
    let previous = TokenSet::new(spent.clone());
    match token_response::read_reply(&reply, &previous) {
        Ok(tokens) => TokenAnswer::Tokens(tokens, Whose::read(&reply.body)),
        Err(error) => match error.code() {
            Some("authorization_pending") => TokenAnswer::Pending,
            Some("slow_down") => TokenAnswer::SlowDown(interval(&reply.body)),
            _ => failed(error),
        },
    }
}

fn interval(body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Slow {
        interval: Value,
    }
    let slow: Slow = serde_json::from_slice(body).ok()?;
    Some(seconds(&slow.interval)?.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL))
}

fn seconds(value: &Value) -> Option<Duration> {
    // The cap keeps a huge number from counting as absent; the caller cuts it further.
    Duration::try_from_secs_f64(token_response::number(value)?.min(1e9)).ok()
}

/// A device that waits to be confirmed (RFC 8628 section 3.2).
pub(super) struct Device {
    pub(super) device_code: Secret,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    pub(super) expires_in: Duration,
    pub(super) interval: Duration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeviceFields {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    expires_in: Value,
    interval: Value,
    error: Value,
}

/// Reads the answer of the device authorization endpoint. Its texts for people are checked, because they may be shown
/// in a terminal or opened in a browser.
pub(super) fn device(reply: Result<Reply, RefreshError>) -> Result<Device, LoginError> {
    let reply = reply.map_err(LoginError::exchange)?;
    let fields: Option<DeviceFields> = serde_json::from_slice(&reply.body).ok();
    let mut fields = fields.unwrap_or_default();
    let device_code = Secret::new(std::mem::take(&mut fields.device_code));
    if let (Some(code), false) = (fields.error.as_str(), in_trouble(reply.status)) {
        return Err(LoginError::refused(code).with_status(reply.status));
    }
    if !reply.status.is_success() || device_code.is_empty() || fields.user_code.is_empty() {
        let (kind, message) = if in_trouble(reply.status) {
            (LoginErrorKind::Unreachable, "the server cannot complete logins for now")
        } else {
            (LoginErrorKind::Refused, "the server gave no device code; check deviceAuthorizationUrl")
        };
        return Err(LoginError::new(kind, message).with_status(reply.status));
    }
    if fields.user_code.len() > 64 || !fields.user_code.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(LoginError::untrusted("the server's user code is longer than 64 letters or has odd ones"));
    }
    let is_safe = |url: &str| parse_endpoint("verification_uri", url).is_ok();
    if !is_safe(&fields.verification_uri) {
        return Err(LoginError::untrusted("the server's verification_uri is no https URL without a fragment"));
    }
    Ok(Device {
        device_code,
        user_code: fields.user_code,
        // This URL is a convenience: without it the person types the code in.
        verification_uri_complete: fields.verification_uri_complete.filter(|url| is_safe(url)),
        verification_uri: fields.verification_uri,
        expires_in: seconds(&fields.expires_in).unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE),
        interval: seconds(&fields.interval).unwrap_or(DEFAULT_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
    })
}

#[cfg(test)]
mod tests;
