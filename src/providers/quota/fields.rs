//! Finds the fields of an answer that say something about limits.

use std::time::SystemTime;

use super::value::http_date;

/// The fields that may be about limits, trimmed, and the time that their dates are measured from.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    list: Vec<(&'a str, &'a str)>,
    /// The time of day at the answer's server if it sends `Date`, else ours.
    pub(super) now: SystemTime,
}

/// The most fields that are read; further ones are left out. No provider sends as many.
const MOST_FIELDS: usize = 256;

impl<'a> Fields<'a> {
    pub(super) fn new(fields: impl Iterator<Item = (&'a str, &'a [u8])>, now: SystemTime) -> Self {
        let mut list = Vec::new();
        let mut date = None;
        for (name, value) in fields {
            let is_date = name == "date";
            if !is_date && !is_named(name) && !is_of_other_limit(name) {
                continue;
            }
            let Ok(value) = std::str::from_utf8(value).map(str::trim) else { continue };
            if is_date {
                date = date.or_else(|| http_date(value));
            } else if list.len() < MOST_FIELDS {
                list.push((name, value));
            }
        }
        Self { list, now: date.unwrap_or(now) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The fields whose names begin with `prefix`, each without that prefix.
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

/// Whether a field's name belongs to one of the families. It is called for every field of every answer, and for most
/// names one byte decides.
#[inline(always)]
pub(super) fn is_named(name: &str) -> bool {
    const fn word(bytes: [u8; 4]) -> u32 {
        u32::from_ne_bytes(bytes)
    }
    const X_RA: u32 = word(*b"x-ra");
    const X_CO: u32 = word(*b"x-co");
    const X_QU: u32 = word(*b"x-qu");
    const X_TO: u32 = word(*b"x-to");
    const ANTH: u32 = word(*b"anth");
    const RATE: u32 = word(*b"rate");
    let Some(first @ [b'a' | b'r' | b'x', ..]) = name.as_bytes().first_chunk::<4>() else { return false };
    matches!(word(*first), X_RA | X_CO | X_QU | X_TO | ANTH | RATE) && has_known_prefix(name)
}

// Not inlined, so that the check of all other names stays small.
#[inline(never)]
fn has_known_prefix(name: &str) -> bool {
    let is = |prefix: &str| name.starts_with(prefix);
    match name.as_bytes() {
        [b'x', _, b'r', ..] => is("x-ratelimit-") || is("x-rate-limit-"),
        [b'x', _, b'c', ..] => is("x-codex-"),
        [b'x', _, b'q', ..] => is("x-quota-snapshot-"),
        [b'x', ..] => is("x-tokenlimit-"),
        [b'a', ..] => is("anthropic-ratelimit-") || is("anthropic-priority-"),
        _ => is("ratelimit"),
    }
}

/// Whether a field may concern one of a ChatGPT subscription's further limits. Only the ends of their names are fixed.
/// They come only together with fields that `is_named` knows.
pub(super) fn is_of_other_limit(name: &str) -> bool {
    const SHORTEST: usize = "x-a-primary-reset-at".len();
    let ends = ["-used-percent", "-window-minutes", "-reset-at", "-reset-after-seconds"];
    name.len() >= SHORTEST && name.starts_with("x-") && ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_by_its_beginning() {
        let named = [
            "x-ratelimit-limit",
            "x-rate-limit-limit",
            "x-tokenlimit-limit",
            "x-codex-plan-type",
            "x-quota-snapshot-chat",
            "anthropic-ratelimit-unified-status",
            "anthropic-priority-input-tokens-limit",
            "ratelimit",
            "ratelimit-policy",
            "ratelimitbysize-limit",
        ];
        let others = [
            "",
            "x",
            "x-r",
            "x-ra",
            "x-rat",
            "x-rate",
            "x-ratelimit",
            "x-request-id",
            "x-content-type-options",
            "x-total",
            "x-query",
            "anthropic-organization-id",
            "rate",
            "rates",
            "age",
            "retry-after",
            "date",
            "Ratelimit",
        ];
        assert!(named.iter().all(|name| is_named(name)));
        assert!(!others.iter().any(|name| is_named(name)));
    }

    #[test]
    fn the_field_of_another_limit_is_told_by_its_end() {
        for end in ["used-percent", "window-minutes", "reset-at", "reset-after-seconds"] {
            assert!(is_of_other_limit(&format!("x-a-primary-{end}")), "{end}");
            assert!(!is_of_other_limit(&format!("a-b-primary-{end}")), "{end}");
        }
        assert!(!is_of_other_limit("x-a-primary-limit-name"));
    }
}
