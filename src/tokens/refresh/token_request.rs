//! The OAuth client, and its requests to the endpoints of a server (RFC 6749 sections 2.3.1, 3.3 and 4), in buffers that
//! are wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, InvalidHeaderValue};
use http::{HeaderValue, Method, Request, Uri};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::RefreshError;
use crate::credentials::Secret;
use crate::error::BoxError;

/// The OAuth client of a refresh or a login: who it is, how it proves that, and what it asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct OAuthClient {
    pub(crate) id: String,
    pub(crate) secret: Option<Secret>,
    /// Whether the secret is sent in the body, in place of HTTP Basic.
    pub(crate) secret_in_body: bool,
    /// Scopes, separated by spaces.
    pub(crate) scope: Option<String>,
    /// The user's own parameters.
    pub(crate) parameters: Vec<(String, Secret)>,
    /// Whether the body is a JSON object, in place of a form.
    pub(crate) json: bool,
}

impl OAuthClient {
    /// Refuses a secret that is missing, and a parameter that has the same name as another one or as one of `ours`.
    pub(crate) fn check(&self, ours: &[&str]) -> Result<(), String> {
        if self.secret_in_body && self.secret.is_none() {
            return Err("client_secret_in_body needs a client_secret".to_owned());
        }
        let mut names = ours.to_vec();
        for (name, _) in &self.parameters {
            if names.contains(&name.as_str()) {
                return Err(format!("the parameter {name:?} would be sent twice; leave it out"));
            }
            names.push(name);
        }
        Ok(())
    }

    /// What the client asks for: its scope and its parameters.
    pub(crate) fn asks(&self) -> Vec<(&str, &str)> {
        let scope = self.scope.iter().map(|scope| ("scope", scope.as_str()));
        scope.chain(self.parameters.iter().map(|(name, value)| (name.as_str(), value.expose()))).collect()
    }

    /// A POST of the fields of a grant, of the client's id and secret, and of what it `asks` for.
    ///
    /// With HTTP Basic the body leaves the client out, because only one way of authentication is allowed.
    pub(crate) fn request(
        &self,
        uri: &Uri,
        grant: &[(&str, &str)],
        asks: &[(&str, &str)],
    ) -> Result<Request<Bytes>, RefreshError> {
        let unusable =
            |source: BoxError| RefreshError::misconfigured("the request could not be built").with_source(source);
        let secret = self.secret.as_ref();
        let mut fields = grant.to_vec();
        if secret.is_none() || self.secret_in_body {
            fields.push(("client_id", &self.id));
            fields.extend(secret.map(|secret| ("client_secret", secret.expose())));
        }
        fields.extend(asks);
        let (media_type, body) = if self.json {
            ("application/json", Bytes::from_owner(json(&fields).map_err(|source| unusable(source.into()))?))
        } else {
            ("application/x-www-form-urlencoded", Bytes::from_owner(form(&fields)))
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // A compressed answer cannot be read here, and its refresh token would be lost.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(secret) = secret.filter(|_| !self.secret_in_body) {
            headers.insert(AUTHORIZATION, basic(&self.id, secret).map_err(|source| unusable(source.into()))?);
        }
        Ok(request)
    }
}

/// The fields as `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let mut body = Zeroizing::new(String::with_capacity(encoded_len(fields)));
    form_urlencoded::Serializer::new(&mut *body).extend_pairs(fields);
    body
}

/// The fields as one JSON object.
fn json(fields: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut body = Zeroizing::new(Vec::with_capacity(encoded_len(fields)));
    serde_json::to_writer(&mut *body, &Object(fields))?;
    Ok(body)
}

/// The client's id and secret as an `Authorization` header, each of them form-encoded first.
fn basic(client_id: &str, secret: &Secret) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut pair = Zeroizing::new(String::with_capacity(encoded_len(&[(client_id, secret.expose())])));
    pair.extend(form_urlencoded::byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.expose().as_bytes()));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let text = Zeroizing::new(format!("Basic {}", *encoded));
    let mut value = HeaderValue::from_str(&text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// An upper bound of the form's length in bytes, so that the buffer never grows: growing would leave a copy that
/// nothing wipes.
fn encoded_len(fields: &[(&str, &str)]) -> usize {
    fields.iter().map(|(name, value)| (name.len() + value.len()).saturating_mul(6) + 8).sum()
}

struct Object<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[(&str, &str)] = &[("grant_type", "refresh_token"), ("refresh_token", "a+b/c=&\"é")];

    #[test]
    fn a_form_is_percent_encoded() {
        assert_eq!(*form(FIELDS), "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%26%22%C3%A9");
    }

    #[test]
    fn an_object_is_escaped_and_keeps_the_order() {
        let body = String::from_utf8(json(FIELDS).unwrap().to_vec()).unwrap();
        assert_eq!(body, r#"{"grant_type":"refresh_token","refresh_token":"a+b/c=&\"é"}"#);
    }

    #[test]
    fn buffers_have_room_for_the_worst_case() {
        let fields = [("\u{1}", "\u{2}\u{3}\u{4}\u{5}"), ("éé", "\u{10ffff}")];
        assert!(form(&fields).len() <= encoded_len(&fields));
        assert!(json(&fields).unwrap().len() <= encoded_len(&fields));
    }

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        for (id, secret, expected) in [
            ("client", "secret", "client:secret"),
            ("a:b", "c d&e", "a%3Ab:c+d%26e"),
            ("é", "100%+", "%C3%A9:100%25%2B"),
            ("id", "", "id:"),
        ] {
            let value = basic(id, &Secret::new(secret)).unwrap();
            let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            assert_eq!(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(), expected);
            assert!(value.is_sensitive());
            assert_eq!(format!("{value:?}"), "Sensitive");
        }
    }
}
