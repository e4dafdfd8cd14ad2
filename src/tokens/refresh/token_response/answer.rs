//! The fields of a token endpoint's answer, in all the ways in which servers write them.
//!
//! A refresh token that has come must not be lost over a mistake elsewhere in the answer, so each member is read by itself.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::credentials::Secret;

/// The content of an answer.
#[derive(Default)]
pub(super) struct ReadAnswer {
    pub(super) fields: Fields,
    /// Whether the answer was read whole. Otherwise it holds only the fields that could be read.
    pub(super) is_whole: bool,
}

/// The known fields, of any type; null if the server gave none.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) access: Option<Secret>,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_in: Value,
    pub(super) expires_at: Value,
    pub(super) error: Value,
    pub(super) error_code: Value,
    pub(super) code: Value,
}

/// A known field, by the name of a member.
#[derive(Clone, Copy)]
enum Field {
    Access,
    Refresh,
    ExpiresIn,
    ExpiresAt,
    Error,
    ErrorCode,
    Code,
}

impl ReadAnswer {
    /// Reads a body: a JSON object, or else a form.
    pub(super) fn parse(body: &[u8]) -> Self {
        let body = text(body);
        match body.first() {
            Some(b'{') => Self::parse_json(body),
            // An HTML page, a list or a text is not a form.
            None | Some(b'<' | b'[' | b'"') => Self::default(),
            Some(_) => Self::parse_form(body),
        }
    }

    fn parse_json(body: &[u8]) -> Self {
        let (members, is_whole) = members(body);
        let mut fields = Fields::of(&members);
        let inside = |(name, value): &(String, &RawValue)| match Field::of(name) {
            None if value.get().starts_with('{') => Some(Fields::of(&self::members(value.get().as_bytes()).0)),
            _ => None,
        };
        let mut inner: Vec<_> = members.iter().filter_map(inside).filter(Fields::has_token).collect();
        if let (Some(only), true) = (inner.pop(), inner.is_empty()) {
            fields.complete(only);
        }
        Self { fields, is_whole }
    }

    fn parse_form(body: &[u8]) -> Self {
        let mut fields = Fields::default();
        for (name, value) in form_urlencoded::parse(body) {
            // The `code` of an error occurs only in JSON.
            if let Some(field) = Field::of(&name).filter(|field| !matches!(field, Field::Code | Field::ErrorCode)) {
                fields.set(field, Value::String(value.into_owned()));
            }
        }
        let is_whole = fields.access.is_some() || fields.refresh.is_some() || !fields.error.is_null();
        Self { fields, is_whole }
    }
}

impl Fields {
    fn of(members: &[(String, &RawValue)]) -> Self {
        let mut fields = Self::default();
        for (name, value) in members {
            if let Some(field) = Field::of(name) {
                // A value that cannot be represented, such as 1e999, counts as absent.
                fields.set(field, serde_json::from_str(value.get()).unwrap_or_default());
            }
        }
        fields
    }

    /// Sets a field. Of several values the last one counts; for a token, the last value that is one.
    fn set(&mut self, field: Field, value: Value) {
        match field {
            Field::Access => self.access = token(value).or(self.access.take()),
            Field::Refresh => self.refresh = token(value).or(self.refresh.take()),
            Field::ExpiresIn => self.expires_in = value,
            Field::ExpiresAt => self.expires_at = value,
            Field::Error => self.error = value,
            Field::ErrorCode => self.error_code = value,
            Field::Code => self.code = value,
        }
    }

    fn has_token(&self) -> bool {
        self.access.is_some() || self.refresh.is_some()
    }

    /// Takes over the fields of an inner object, unless both objects have tokens.
    fn complete(&mut self, inner: Self) {
        let is_another_set =
            self.access.is_some() && inner.access.is_some() || self.refresh.is_some() && inner.refresh.is_some();
        if is_another_set {
            return;
        }
        self.access = self.access.take().or(inner.access);
        self.refresh = self.refresh.take().or(inner.refresh);
        let pairs = [
            (&mut self.expires_in, inner.expires_in),
            (&mut self.expires_at, inner.expires_at),
            (&mut self.error, inner.error),
        ];
        for (outer, inner) in pairs {
            if outer.is_null() {
                *outer = inner;
            }
        }
    }

    /// Whether the answer names an error.
    pub(super) fn has_error(&self) -> bool {
        (self.error.is_object() || self.error.is_string()) && !is_hollow(&self.error)
    }
}

impl Field {
    /// The field of this name: `access_token`, and also `accessToken`, `access-token` and `ACCESS_TOKEN`.
    fn of(name: &str) -> Option<Self> {
        let letters = name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')).map(|byte| byte.to_ascii_lowercase());
        let is = |plain: &str| letters.clone().eq(plain.bytes());
        let names = [
            ("accesstoken", Self::Access),
            ("refreshtoken", Self::Refresh),
            ("expiresin", Self::ExpiresIn),
            ("expiresat", Self::ExpiresAt),
            ("error", Self::Error),
            ("errorcode", Self::ErrorCode),
            ("code", Self::Code),
        ];
        names.into_iter().find(|(plain, _)| is(plain)).map(|(_, field)| field)
    }
}

/// Whether a body begins as a JSON object does.
pub(super) fn is_object(body: &[u8]) -> bool {
    text(body).starts_with(b"{")
}

/// The body without a byte order mark and white space around it.
fn text(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii()
}

/// A token: text that is not empty. White space around it, such as a line break, is removed.
fn token(value: Value) -> Option<Secret> {
    let Value::String(text) = value else { return None };
    let whole = Secret::new(text);
    let text = whole.expose().trim_matches(|letter: char| letter.is_ascii_whitespace());
    (!text.is_empty()).then(|| Secret::new(text))
}

/// Whether a value is empty. Some servers leave an empty error member in a success.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_hollow),
        Value::Object(members) => members.values().all(is_hollow),
    }
}

/// The members of a JSON object, duplicates included, and whether the object is whole.
fn members(text: &[u8]) -> (Vec<(String, &RawValue)>, bool) {
    let mut members = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Members(&mut members).deserialize(&mut reader).and_then(|()| reader.end());
    (members, read.is_ok())
}

/// Collects the members of an object. It keeps each one as soon as it is read, so that a fault after it does not lose
/// it.
struct Members<'a, 'de>(&'a mut Vec<(String, &'de RawValue)>);

impl<'de> DeserializeSeed<'de> for Members<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(())
    }
}
