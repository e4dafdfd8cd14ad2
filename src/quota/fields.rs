//! The fields of an answer that say something about limits.

use std::time::SystemTime;

use super::value::http_date;

/// The fields that may say something, trimmed, and the time that their dates are measured from.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    list: Vec<(&'a str, &'a str)>,
    /// The answer's own clock where it shows it.
    pub(super) now: SystemTime,
}

/// Of more fields the others are left out: no provider sends as many.
const MOST_FIELDS: usize = 256;

impl<'a> Fields<'a> {
    pub(super) fn new(fields: impl Iterator<Item = (&'a str, &'a [u8])>, now: SystemTime) -> Self {
        let mut list = Vec::new();
        let mut date = None;
        for (name, value) in fields {
            let Ok(value) = std::str::from_utf8(value).map(str::trim) else { continue };
            if name == "date" {
                date = date.or_else(|| http_date(value));
            } else if (is_named(name) || is_of_other_limit(name)) && list.len() < MOST_FIELDS {
                list.push((name, value));
            }
        }
        Self { list, now: date.unwrap_or(now) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The fields whose names begin so, without that beginning.
    pub(super) fn under<'f>(&'f self, prefix: &'f str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, 'f> {
        self.list.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, *value)))
    }

    /// The first field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.list.iter().find(|field| field.0 == name).map(|field| field.1)
    }

    /// All lines of a field that is a list, as one (RFC 9110, 5.3).
    pub(super) fn joined(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.list.iter().filter(|field| field.0 == name).map(|field| field.1).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

/// Whether a field's name is that of one of the families. Every answer's names are asked, so it looks at few bytes.
#[inline]
pub(super) fn is_named(name: &str) -> bool {
    let is = |prefix: &str| name.starts_with(prefix);
    match name.as_bytes() {
        [b'x', b'-', b'r', ..] => is("x-ratelimit-") || is("x-rate-limit-"),
        [b'x', b'-', b'c', ..] => is("x-codex-"),
        [b'x', b'-', b'q', ..] => is("x-quota-snapshot-"),
        [b'x', b'-', b't', ..] => is("x-tokenlimit-"),
        [b'a', b'n', ..] => is("anthropic-ratelimit-") || is("anthropic-priority-"),
        [b'r', b'a', b't', ..] => is("ratelimit"),
        _ => false,
    }
}

/// Whether a field may be that of a limit beside the main one of a ChatGPT subscription: such names can only be told by their ends.
/// They come only together with those that `is_named` knows.
pub(super) fn is_of_other_limit(name: &str) -> bool {
    let ends = ["-used-percent", "-window-minutes", "-reset-at", "-reset-after-seconds"];
    name.starts_with("x-") && ends.iter().any(|end| name.ends_with(end))
}
