//! Builds the body and the client authentication of a refresh request (RFC 6749 sections 2.3.1 and 6), in buffers that
//! are wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::InvalidHeaderValue;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::credentials::Secret;

/// The fields as `application/x-www-form-urlencoded`.
pub(super) fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let mut body = Zeroizing::new(String::with_capacity(encoded_len(fields)));
    form_urlencoded::Serializer::new(&mut *body).extend_pairs(fields);
    body
}

/// The fields as one JSON object.
pub(super) fn json(fields: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut body = Zeroizing::new(Vec::with_capacity(encoded_len(fields)));
    serde_json::to_writer(&mut *body, &Object(fields))?;
    Ok(body)
}

/// The client's id and secret as an `Authorization` header, each of them form-encoded first.
pub(super) fn basic(client_id: &str, secret: &Secret) -> Result<HeaderValue, InvalidHeaderValue> {
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
