//! Text for people: times, and foreign text that cannot harm a terminal.

use std::time::{Duration, SystemTime};

/// Text without what moves the cursor, changes colours or turns the direction of writing: names come from other machines.
pub(crate) fn plain(text: &str) -> String {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// The same on one line.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}

/// A time in at most two units, rounded up to a second.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// How long until `time`; nothing if `time` has passed.
pub(crate) fn left(time: SystemTime, now: SystemTime) -> Option<Duration> {
    time.duration_since(now).ok().filter(|left| !left.is_zero())
}

/// How long ago `time` was; nothing if it is still to come, as after a jump of the clock.
pub(crate) fn ago(time: SystemTime, now: SystemTime) -> Option<Duration> {
    now.duration_since(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (1, "1s"),
            (59_000, "59s"),
            (59_001, "1m 0s"),
            (250_000, "4m 10s"),
            (7_500_000, "2h 5m"),
            (273_600_000, "3d 4h"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(span(Duration::MAX), "213503982334601d 7h");
    }

    #[test]
    fn names_cannot_harm_a_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{9b}c\u{202e}d\te\nf"), "a\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{9}e\nf");
        assert_eq!(line("ü\nx"), "ü\\nx");
    }
}
