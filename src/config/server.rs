//! A provider's OAuth server, as a user names it: endpoints, client id, scopes and headers.

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};

use crate::credentials::origin::{BaseUrl, Origin, Shown};
use crate::credentials::{Credential, Secret};
use crate::error::Error;

/// The OAuth server of a provider, for logins and refreshes, and how its token is sent. All keys are optional, none has
/// a built-in value.
///
/// The values of [`extra_headers`](Self::extra_headers) are secrets: not in `Debug`, and not serialized. `Debug` leaves out the
/// queries of URLs, where some services take their key.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OAuthServer {
    /// `origins`: where credentials may be sent, such as `https://api.example.com`.
    pub origins: Vec<String>,
    /// `issuer`: the URL whose metadata names the endpoints (RFC 8414).
    pub issuer: Option<String>,
    /// `tokenUrl`: the token endpoint (RFC 6749, 3.2).
    pub token_url: Option<String>,
    /// `authorizationUrl`: the authorization endpoint (RFC 6749, 3.1).
    pub authorization_url: Option<String>,
    /// `deviceAuthorizationUrl`: the device authorization endpoint (RFC 8628, 3.1).
    pub device_authorization_url: Option<String>,
    /// `clientId`: the user's own client id.
    pub client_id: Option<String>,
    /// `scopes`: the scopes that a login asks for.
    pub scopes: Vec<String>,
    /// `header`: the header field that carries the token; `None` is `authorization`.
    pub header: Option<String>,
    /// `extraHeaders`: header fields that are sent together with the token.
    #[serde(skip_serializing, deserialize_with = "secrets")]
    pub extra_headers: BTreeMap<String, Secret>,
}

impl OAuthServer {
    /// Checks that the URLs and header fields are well-formed.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](crate::ErrorKind::Config), naming the key and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        match self.problem() {
            Some((key, problem)) => Err(Error::config(format!("{key}: {problem}"))),
            None => Ok(()),
        }
    }

    /// The credential with this server's header, and with its extra headers, so that its token is sent as the server
    /// wants.
    #[must_use]
    pub fn apply_to(&self, mut credential: Credential) -> Credential {
        if let Some(header) = &self.header {
            credential = credential.header(header.as_str());
        }
        let extra_headers = self.extra_headers.iter();
        extra_headers
            .fold(credential, |credential, (name, value)| credential.extra_header(name.as_str(), value.clone()))
    }

    /// The first wrong value: its key, and what would be right.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let urls = [
            ("issuer", &self.issuer),
            ("tokenUrl", &self.token_url),
            ("authorizationUrl", &self.authorization_url),
            ("deviceAuthorizationUrl", &self.device_authorization_url),
        ];
        if let Some((key, _)) = urls.into_iter().find(|(_, url)| url.as_deref().is_some_and(|url| !is_endpoint(url))) {
            return Some((key, "must be an https:// URL, or an http:// one of this machine".to_owned()));
        }
        if self.origins.iter().any(|origin| Origin::parse("", origin).is_err()) {
            return Some((
                "origins",
                "must be https:// origins without a path, or http:// ones of this machine".to_owned(),
            ));
        }
        if self.client_id.as_deref() == Some("") {
            return Some(("clientId", "must not be empty".to_owned()));
        }
        if self.header.as_deref().is_some_and(|name| !is_header_name(name)) {
            return Some(("header", "must be the name of a header field, such as \"authorization\"".to_owned()));
        }
        for (name, value) in &self.extra_headers {
            if !is_header_name(name) {
                return Some(("extraHeaders", format!("{name:?} must be the name of a header field")));
            }
            if HeaderValue::from_str(value.expose()).is_err() {
                return Some(("extraHeaders", format!("the value of {name:?} must be visible ASCII on one line")));
            }
        }
        None
    }
}

impl fmt::Debug for OAuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All fields are named, so that a new one is not forgotten.
        let Self {
            origins,
            issuer,
            token_url,
            authorization_url,
            device_authorization_url,
            client_id,
            scopes,
            header,
            extra_headers,
        } = self;
        f.debug_struct("OAuthServer")
            .field("origins", &origins.iter().map(|url| Shown(url)).collect::<Vec<_>>())
            .field("issuer", &issuer.as_deref().map(Shown))
            .field("token_url", &token_url.as_deref().map(Shown))
            .field("authorization_url", &authorization_url.as_deref().map(Shown))
            .field("device_authorization_url", &device_authorization_url.as_deref().map(Shown))
            .field("client_id", client_id)
            .field("scopes", scopes)
            .field("header", header)
            .field("extra_headers", extra_headers)
            .finish()
    }
}

/// An endpoint may have a query (RFC 6749, 3.1 and 3.2), which a base URL may not.
fn is_endpoint(url: &str) -> bool {
    BaseUrl::parse("", url.split_once('?').map_or(url, |(url, _)| url)).is_ok()
}

fn is_header_name(name: &str) -> bool {
    name.parse::<HeaderName>().is_ok()
}

/// The parser's own message would show the value.
fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Secret>, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer)
        .map(|headers| headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
        .map_err(|_| serde::de::Error::custom("extraHeaders: must be an object of strings"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_values_of_extra_headers_never_show() {
        let json = json!({ "clientId": "mine", "extraHeaders": { "x-org": "s3cret" } });
        let server: OAuthServer = serde_json::from_value(json).unwrap();
        assert_eq!(server.extra_headers["x-org"].expose(), "s3cret");

        let shown = format!("{server:?} {}", serde_json::to_string(&server).unwrap());
        assert!(shown.contains("mine") && shown.contains("[redacted]") && !shown.contains("s3cret"), "{shown}");

        for wrong in [json!({ "extraHeaders": "s3cret" }), json!({ "extraHeaders": { "x": 5417 } })] {
            let text = serde_json::from_value::<OAuthServer>(wrong).unwrap_err().to_string();
            assert!(text.contains("extraHeaders: must be an object of strings"), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("5417"), "{text}");
        }
    }

    #[test]
    fn the_queries_of_urls_never_show() {
        let url = "https://id.example.com/x?key=s3cret";
        let json = json!({
            "origins": [url], "issuer": url, "tokenUrl": url, "authorizationUrl": url, "deviceAuthorizationUrl": url,
        });
        let oauth: crate::config::ProviderOAuth = serde_json::from_value(json).unwrap();
        let shown = format!("{oauth:?} {:#?} {:?}", oauth.server, oauth.validate());
        assert!(!shown.contains("s3cret") && shown.contains("https://id.example.com/x?.."), "{shown}");
    }

    #[test]
    fn urls_and_header_names_are_checked() {
        let table = [
            (json!({}), None),
            (json!({ "tokenUrl": "https://id.example.com/token?tenant=1" }), None),
            (json!({ "issuer": "http://127.0.0.1:8080" }), None),
            (json!({ "header": "x-api-key", "extraHeaders": { "x-org": "one" } }), None),
            (json!({ "issuer": "" }), Some("issuer: must be an https:// URL")),
            (json!({ "origins": ["https://api.example.com", "http://127.0.0.1:8080"] }), None),
            (json!({ "origins": ["https://api.example.com/v1"] }), Some("origins: must be https:// origins")),
            (json!({ "origins": ["http://api.example.com"] }), Some("origins: must be https:// origins")),
            (json!({ "tokenUrl": "id.example.com/token" }), Some("tokenUrl: must be an https:// URL")),
            (json!({ "tokenUrl": "http://id.example.com/token" }), Some("tokenUrl: must be an https:// URL")),
            (json!({ "authorizationUrl": "ftp://example.com" }), Some("authorizationUrl: must be an https:// URL")),
            (json!({ "deviceAuthorizationUrl": "https://" }), Some("deviceAuthorizationUrl: must be an https:// URL")),
            (json!({ "clientId": "" }), Some("clientId: must not be empty")),
            (json!({ "header": "x api key" }), Some("header: must be the name of a header field")),
            (json!({ "extraHeaders": { "a:b": "" } }), Some("extraHeaders: \"a:b\" must be the name")),
            (json!({ "extraHeaders": { "a": "s3\ncret" } }), Some("extraHeaders: the value of \"a\" must be visible")),
        ];
        for (json, expected) in table {
            let server: OAuthServer = serde_json::from_value(json.clone()).unwrap();
            let text = server.validate().err().map(|error| error.to_string());
            match (&text, expected) {
                (None, None) => {}
                (Some(text), Some(expected)) => assert!(text.starts_with(expected) && !text.contains("s3"), "{text}"),
                _ => panic!("{json}: {text:?}"),
            }
        }
    }
}
