//! Reads the claims in the tokens of a file. They are not verified, because they only give a name and a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims of a JWT (RFC 7519). Empty if the token is no JWT.
#[derive(Default)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn of(token: &str) -> Self {
        Self(read(token).unwrap_or_default())
    }

    /// A claim for people or for comparison, on one line.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
    }

    pub(super) fn expiry(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.0.get("exp")?.as_u64()?))
    }
}

fn read(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}
