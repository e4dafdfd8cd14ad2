//! Reads members of JSON objects. A problem is reported with its place and without the value, which could be a token.

use std::fmt;

use serde_json::{Map, Value};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem(String);

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A syntax error with its line and column. The parser's own message is left out, because it may show values.
    pub(super) fn syntax(text: &[u8], error: &serde_json::Error) -> Self {
        if text.is_empty() {
            return Self::new("it is empty");
        }
        let cut_off = if error.is_eof() { ", where it ends too early" } else { "" };
        Self(format!("it is no valid JSON at line {}, column {}{cut_off}", error.line(), error.column()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object, and where it stands in the file.
#[derive(Clone)]
pub(super) struct Object<'v> {
    /// A JSON pointer.
    pub(super) place: String,
    members: &'v Map<String, Value>,
}

impl<'v> Object<'v> {
    /// The file itself.
    pub(super) fn root(members: &'v Map<String, Value>) -> Self {
        Self { place: String::new(), members }
    }

    fn of(place: String, value: &'v Value) -> Result<Self, Problem> {
        match value.as_object() {
            Some(members) => Ok(Self { place, members }),
            None => Err(at(&place, "an object was expected")),
        }
    }

    /// A problem with the object as a whole.
    pub(super) fn problem(&self, what: impl fmt::Display) -> Problem {
        at(&self.place, what)
    }

    /// The place of a member.
    pub(super) fn place_of(&self, key: &str) -> String {
        format!("{}/{key}", self.place)
    }

    /// A member, as it stands there. `None` if it is absent or `null`.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }

    fn optional<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| at(&self.place_of(key), format!("{what} was expected")))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Self>, Problem> {
        self.get(key).map(|value| Self::of(self.place_of(key), value)).transpose()
    }

    /// The members. Each has to be an object.
    pub(super) fn objects(&self) -> impl Iterator<Item = Result<(&'v str, Self), Problem>> {
        self.members.iter().map(|(name, value)| Ok((name.as_str(), Self::of(self.place_of(name), value)?)))
    }

    /// An array of objects.
    pub(super) fn list(&self, key: &str) -> Result<Option<Vec<Self>>, Problem> {
        let Some(values) = self.optional(key, "an array", Value::as_array)? else { return Ok(None) };
        let place = self.place_of(key);
        let object = |(index, value)| Self::of(format!("{place}/{index}"), value);
        values.iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'v str>, Problem> {
        self.optional(key, "a text", Value::as_str)
    }

    pub(super) fn text(&self, key: &str) -> Result<&'v str, Problem> {
        self.optional_text(key)?.ok_or_else(|| at(&self.place_of(key), "a text was expected"))
    }

    /// A text that is not empty.
    pub(super) fn filled_text(&self, key: &str) -> Result<&'v str, Problem> {
        match self.text(key)? {
            "" => Err(at(&self.place_of(key), "it is empty")),
            text => Ok(text),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Problem> {
        self.optional(key, "true or false", Value::as_bool)
    }
}

/// A problem at this place.
pub(super) fn at(place: &str, what: impl fmt::Display) -> Problem {
    Problem(format!("at {place}: {what}"))
}
