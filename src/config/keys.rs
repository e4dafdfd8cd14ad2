//! The keys of `provider.<id>.oauth` in one table, for checks and messages.

use self::Part::{Server, Settings};

/// The type that a key belongs to. In the file the keys of both types stand in one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Settings,
    Server,
}

/// A key, with the values that it takes, as a message says them. Messages never repeat a value: it could be a secret.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) part: Part,
    #[cfg_attr(not(feature = "config"), expect(dead_code, reason = "only the reader of a file tells people"))]
    pub(super) expected: &'static str,
}

const COUNT: &str = "a whole number, 0 or more";
const MILLISECONDS: &str = "a whole number of milliseconds, 0 or more";
const SECOND_OR_MORE: &str = "a whole number of milliseconds, 1000 or more";
const LIMIT: &str = "a whole number of milliseconds, 1 or more, or null for no limit";
const TEXT: &str = "a string";

const fn key(part: Part, name: &'static str, expected: &'static str) -> Key {
    Key { name, part, expected }
}

pub(super) const KEYS: &[Key] = &[
    key(Settings, "maxAttempts", "a whole number, 1 or more"),
    key(Settings, "rateLimitCooldownMs", SECOND_OR_MORE),
    key(Settings, "authFailureCooldownMs", SECOND_OR_MORE),
    key(Settings, "networkRetryAttempts", COUNT),
    key(Settings, "toastDurationMs", MILLISECONDS),
    key(Settings, "paymentCooldownMs", SECOND_OR_MORE),
    key(Settings, "maxCooldownMs", SECOND_OR_MORE),
    key(Settings, "maxWaitMs", MILLISECONDS),
    key(Settings, "refreshMarginMs", MILLISECONDS),
    key(Settings, "maxGrownCooldownMs", SECOND_OR_MORE),
    key(Settings, "connectTimeoutMs", LIMIT),
    key(Settings, "attemptTimeoutMs", LIMIT),
    key(Settings, "streamIdleTimeoutMs", LIMIT),
    key(Settings, "exchangeTimeoutMs", "a whole number of milliseconds, 100 or more"),
    key(Settings, "leaseMs", "a whole number of milliseconds, more than exchangeTimeoutMs"),
    key(Settings, "streamHoldMs", MILLISECONDS),
    key(Settings, "replayLimitBytes", "a whole number of bytes, 0 or more"),
    key(Settings, "strategy", "\"sticky\" or \"round-robin\""),
    key(Settings, "whenAllCooling", "\"answer\", \"wait\", \"probe\" or \"error\""),
    key(Settings, "resend", "\"always\" or \"safe\""),
    key(Settings, "onBan", "\"return\" or \"next\""),
    key(Server, "origins", "an array of strings"),
    key(Server, "issuer", TEXT),
    key(Server, "tokenUrl", TEXT),
    key(Server, "authorizationUrl", TEXT),
    key(Server, "deviceAuthorizationUrl", TEXT),
    key(Server, "clientId", TEXT),
    key(Server, "scopes", "an array of strings"),
    key(Server, "header", "the name of a header, as a string"),
    key(Server, "extraHeaders", "an object of strings"),
];

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Says what to write in place of an unknown key: the nearest known one, or else all of them.
pub(super) fn unknown(name: &str) -> String {
    let nearest = KEYS.iter().map(|key| (distance(name, key.name), key.name)).min();
    match nearest {
        Some((0..=3, nearest)) => format!("is not a setting; did you mean {nearest:?}?"),
        _ => {
            let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
            format!("is not a setting; the settings are {}", names.join(", "))
        }
    }
}

/// The distance between two keys: how many letters to insert, delete or replace (Levenshtein). Upper and lower case are
/// the same.
fn distance(from: &str, to: &str) -> usize {
    // A long name is near to no key, and need not be measured.
    if from.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.bytes().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (to, above) in to.bytes().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(&to));
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        let table =
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "ABC", 0), ("kitten", "sitting", 3), ("ab", "ba", 2)];
        for (from, to, expected) in table {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_slip_is_met_with_the_nearest_key_and_anything_else_with_all() {
        for (slip, meant) in [
            ("maxAtempts", "maxAttempts"),
            ("maxattempts", "maxAttempts"),
            ("tokenURL", "tokenUrl"),
            ("scope", "scopes"),
        ] {
            assert_eq!(unknown(slip), format!("is not a setting; did you mean {meant:?}?"));
        }
        for other in ["", "clientSecret", &"ü".repeat(10_000)] {
            let text = unknown(other);
            assert!(KEYS.iter().all(|key| text.contains(key.name)), "{text}");
        }
    }
}
