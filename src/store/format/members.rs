//! Reads members of JSON objects. A problem is reported with its place and without the value, which could be a token.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Problem(String);

impl Problem {
    pub(in crate::store) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A syntax error with its line and column. The parser's own message is left out, because it may show values.
    pub(in crate::store) fn syntax(text: &[u8], error: &serde_json::Error) -> Self {
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

/// A place in a text, for messages.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct At<'a> {
    outer: Option<&'a At<'a>>,
    step: PathStep<'a>,
}

#[derive(Debug, Clone, Copy)]
enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(in crate::store) fn root() -> Self {
        Self { outer: None, step: PathStep::Key("") }
    }

    pub(in crate::store) fn key(&'a self, key: &'a str) -> Self {
        Self { outer: Some(self), step: PathStep::Key(key) }
    }

    pub(in crate::store) fn index(&'a self, index: usize) -> Self {
        Self { outer: Some(self), step: PathStep::Index(index) }
    }

    pub(in crate::store) fn problem(&self, what: impl fmt::Display) -> Problem {
        match self.outer {
            None => Problem(what.to_string()),
            Some(_) => Problem(format!("at {self}: {what}")),
        }
    }

    fn expected<T>(&self, found: Option<T>, what: &str) -> Result<T, Problem> {
        found.ok_or_else(|| self.problem(format!("{what} was expected")))
    }

    pub(in crate::store) fn object<'v>(&self, value: &'v Value) -> Result<&'v Map<String, Value>, Problem> {
        self.expected(value.as_object(), "an object")
    }

    /// Reads a member that may be absent or `null`.
    fn optional<'v, T>(
        &self,
        members: &'v Map<String, Value>,
        key: &str,
        what: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match members.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.key(key).expected(read(value), what).map(Some),
        }
    }

    pub(in crate::store) fn optional_object<'v>(
        &self,
        members: &'v Map<String, Value>,
        key: &str,
    ) -> Result<Option<&'v Map<String, Value>>, Problem> {
        self.optional(members, key, "an object", Value::as_object)
    }

    pub(in crate::store) fn optional_array<'v>(
        &self,
        members: &'v Map<String, Value>,
        key: &str,
    ) -> Result<Option<&'v Vec<Value>>, Problem> {
        self.optional(members, key, "an array", Value::as_array)
    }

    pub(in crate::store) fn optional_text<'v>(
        &self,
        members: &'v Map<String, Value>,
        key: &str,
    ) -> Result<Option<&'v str>, Problem> {
        self.optional(members, key, "a text", Value::as_str)
    }

    pub(in crate::store) fn optional_number(
        &self,
        members: &Map<String, Value>,
        key: &str,
    ) -> Result<Option<u64>, Problem> {
        self.optional(members, key, "a whole number from 0", Value::as_u64)
    }

    pub(in crate::store) fn optional_flag(
        &self,
        members: &Map<String, Value>,
        key: &str,
    ) -> Result<Option<bool>, Problem> {
        self.optional(members, key, "true or false", Value::as_bool)
    }

    pub(in crate::store) fn optional_time(
        &self,
        members: &Map<String, Value>,
        key: &str,
    ) -> Result<Option<SystemTime>, Problem> {
        let read = |value: &Value| UNIX_EPOCH.checked_add(Duration::from_millis(value.as_u64()?));
        self.optional(members, key, "a time in milliseconds since 1970", read)
    }

    pub(in crate::store) fn text<'v>(&self, members: &'v Map<String, Value>, key: &str) -> Result<&'v str, Problem> {
        let found = self.optional_text(members, key)?;
        self.key(key).expected(found, "a text")
    }

    pub(in crate::store) fn number(&self, members: &Map<String, Value>, key: &str) -> Result<u64, Problem> {
        let found = self.optional_number(members, key)?;
        self.key(key).expected(found, "a whole number from 0")
    }

    pub(in crate::store) fn time(&self, members: &Map<String, Value>, key: &str) -> Result<SystemTime, Problem> {
        let found = self.optional_time(members, key)?;
        self.key(key).expected(found, "a time in milliseconds since 1970")
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            fmt::Display::fmt(outer, f)?;
        }
        match self.step {
            PathStep::Key("") if self.outer.is_none() => Ok(()),
            PathStep::Key(key) => write!(f, "/{key}"),
            PathStep::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// Changes the object under this key. It is made if there is none.
pub(in crate::store) fn within(
    members: &mut Map<String, Value>,
    key: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) {
    let mut object = match members.remove(key) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    change(&mut object);
    members.insert(key.to_owned(), Value::Object(object));
}

/// Sets a member, or removes it.
pub(in crate::store) fn set(members: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    let old = match value {
        Some(value) => members.insert(key.to_owned(), value.into()),
        None => members.remove(key),
    };
    if let Some(mut old) = old {
        super::wipe(&mut old);
    }
}
