//! The names of members that can matter.

use std::ops::RangeInclusive;

/// Members that are kept, in the order of their bytes. All others are skipped without being stored.
const KNOWN: [&str; 56] = [
    "@type",
    "__type",
    "availability",
    "choices",
    "code",
    "detail",
    "details",
    "error",
    "error_code",
    "error_description",
    "error_details",
    "error_subtype",
    "error_type",
    "errors",
    "event_type",
    "exceptionName",
    "headers",
    "http_status",
    "innererror",
    "interval",
    "limit_source",
    "message",
    "metadata",
    "msg",
    "nanos",
    "notification_id",
    "object",
    "param",
    "patterns",
    "provider_name",
    "quotaId",
    "quotaResetDelay",
    "quotaResetTimeStamp",
    "quotaValue",
    "quota_limit",
    "quota_limit_value",
    "raw",
    "reason",
    "reasons",
    "resetsAt",
    "resets_at",
    "resets_in_seconds",
    "response",
    "retryDelay",
    "retry_after",
    "retry_after_ms",
    "retry_after_seconds",
    "seconds",
    "status",
    "statusCode",
    "status_code",
    "status_details",
    "type",
    "validation_link",
    "validation_url",
    "violations",
];

/// Each number stands for a bit of a `u64`.
const _: () = assert!(KNOWN.len() <= 64);

/// The lengths of the known names.
const LENGTHS: RangeInclusive<usize> = 3..=19;

/// The number and the static name of a known member; `None` for any other.
pub(super) fn known(name: &[u8]) -> Option<(u32, &'static str)> {
    let initial = name.first().filter(|_| LENGTHS.contains(&name.len()))?;
    let (from, to) = *INITIALS.get(usize::from(*initial))?;
    let alike = KNOWN.get(from.into()..to.into())?.iter();
    alike.zip(u32::from(from)..).find(|(known, _)| known.as_bytes() == name).map(|(known, number)| (number, *known))
}

/// Where the known names with an ASCII initial begin and end in `KNOWN`.
#[expect(clippy::indexing_slicing, reason = "the compiler does it")]
const INITIALS: [(u8, u8); 128] = {
    let mut ranges = [(0, 0); 128];
    let mut number = 0;
    while number < KNOWN.len() {
        let range = &mut ranges[KNOWN[number].as_bytes()[0] as usize];
        if range.1 == 0 {
            range.0 = number as u8;
        }
        number += 1;
        range.1 = number as u8;
    }
    ranges
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_names_are_in_order() {
        assert!(KNOWN.is_sorted());
        assert!(KNOWN.iter().all(|name| {
            known(name.as_bytes()).is_some_and(|(number, known)| known == *name && KNOWN[number as usize] == known)
        }));
        for other in ["", "a", "cod", "codes", "zzz", "@", "\u{fc}"] {
            assert_eq!(known(other.as_bytes()), None);
        }
    }
}
