//! Reads whose tokens they are from what the server says.
//!
//! The claims of an id token are read without checking its signature: it came straight from the token endpoint over TLS,
//! where OpenID Connect Core 1.0 section 3.1.3.7 says that TLS may stand in for the signature. Its issuer and its audience
//! are checked. A refresh token is never read.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::LoginError;
use crate::credentials::Secret;

/// The most letters of a name for people; a longer one is cut off.
const LONGEST_LABEL: usize = 100;

/// The identity of the account that has logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) subject: Option<String>,
    pub(super) label: Option<String>,
}

/// The members of a token response that tell whose tokens they are.
#[derive(Debug, Default)]
pub(super) struct Whose {
    id_token: Option<Secret>,
    account: Identity,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    id_token: Option<String>,
    account_id: Value,
    user_id: Value,
    account: Value,
    user: Value,
}

impl Whose {
    /// Reads a token response. Members that are missing or of another type are left out.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let Fields { id_token, account_id, user_id, account, user } = serde_json::from_slice(body).unwrap_or_default();
        let nested = |object: &Value, keys: &[&str]| keys.iter().find_map(|key| text(object.get(key)?));
        let subject = text(&account_id)
            .or_else(|| nested(&account, &["uuid", "id"]))
            .or_else(|| text(&user_id))
            .or_else(|| nested(&user, &["uuid", "id"]));
        let label = label(&account).or_else(|| label(&user));
        Self {
            id_token: id_token.filter(|token| !token.is_empty()).map(Secret::new),
            account: Identity { subject, label },
        }
    }

    /// The identity from the account's own field, for use if nothing better tells it.
    pub(super) fn account(self) -> Identity {
        self.account
    }

    /// The claims of the id token, if there is one.
    pub(super) fn claims(&self, issuer: Option<&str>, client_id: &str) -> Result<Option<Value>, LoginError> {
        let Some(token) = &self.id_token else { return Ok(None) };
        let claims = payload(token.expose()).ok_or_else(|| {
            LoginError::untrusted("the server's id token is malformed (OpenID Connect Core 1.0 section 2)")
        })?;
        if issuer.is_some_and(|issuer| claims.get("iss").and_then(Value::as_str) != Some(issuer)) {
            return Err(LoginError::untrusted("the id token is of another issuer"));
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(one)) => one == client_id,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(client_id)),
            _ => false,
        };
        if !for_us {
            return Err(LoginError::untrusted("the id token is for another client"));
        }
        Ok(Some(claims))
    }
}

/// The claims of a JWT (RFC 7519), unverified.
fn payload(token: &str) -> Option<Value> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: Map<String, Value> = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
    Some(Value::Object(claims))
}

/// Reads the claims of an id token or the answer of a userinfo endpoint. `pointer` (RFC 6901) says where the subject
/// is. The default is `sub`, or else `id`, which services without OpenID Connect have.
pub(super) fn of_claims(claims: &Value, pointer: Option<&str>) -> Identity {
    let subject = match pointer {
        Some(pointer) => claims.pointer(pointer).and_then(text),
        None => claims.get("sub").and_then(text).or_else(|| claims.get("id").and_then(text)),
    };
    Identity { subject, label: label(claims) }
}

/// The name of an account for people, from the claims that hold one.
fn label(claims: &Value) -> Option<String> {
    ["email", "email_address", "preferred_username", "login", "name"].iter().find_map(|name| {
        let label: String =
            claims.get(name)?.as_str()?.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect();
        let label = label.trim();
        (!label.is_empty()).then(|| label.to_owned())
    })
}

/// An identifier as text; some services give it as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
