//! Makes header values: a secret, and `Retry-After`.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::credentials::Secret;

/// Whether a header can carry this token.
pub(crate) fn is_sendable(token: &Secret) -> bool {
    secret_value("", token.expose()).is_ok()
}

/// A header value that is marked sensitive and whose memory is wiped with its last copy.
pub(crate) fn secret_value(scheme: &str, secret: &str) -> Result<HeaderValue, &'static str> {
    if secret.is_empty() {
        return Err("is empty");
    }
    if secret.trim() != secret {
        return Err("begins or ends with white space; it was probably copied with a line break");
    }
    if !secret.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err("contains characters that a header cannot carry (line breaks, control characters or non-ASCII)");
    }
    let space = if scheme.is_empty() { "" } else { " " };
    // Reserved in full: a buffer that grew would leave unwiped copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + space.len() + secret.len()));
    for part in [scheme, space, secret] {
        text.extend_from_slice(part.as_bytes());
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .map_err(|_| "or its scheme contains characters that a header cannot carry")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sets `Retry-After` to the time until a recovery, in whole seconds, rounded up so that no request comes too early
/// (RFC 9110 section 10.2.3).
pub(crate) fn state_recovery(headers: &mut HeaderMap, recovery: Option<Duration>) {
    headers.remove("retry-after-ms");
    match recovery {
        Some(recovery) => {
            let seconds = recovery.as_secs() + u64::from(recovery.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        None => {
            headers.remove(RETRY_AFTER);
        }
    }
}
