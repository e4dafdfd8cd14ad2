//! How the times of one exchange add up: nobody else may send the same refresh token before it must be over.
//!
//! Everything is counted from the note that the refresh begins, as others see nothing but that. The exchange begins soon
//! after it, ends within its limit, is then given a last word, and stores what it has brought.

use std::time::{Duration, SystemTime};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// One exchange, by whatever process: `exchangeTimeoutMs`.
    pub(crate) exchange: Duration,
    /// How long an exchange that others have begun is waited for.
    pub(crate) patience: Duration,
}

impl Times {
    /// What is left for an exchange that begins now. `None` if the note has become old, or the clock was set back: then it is
    /// to be written again.
    pub(super) fn left(&self, noted: SystemTime, now: SystemTime) -> Option<Duration> {
        let age = now.duration_since(noted).ok()?;
        (age <= self.latest_begin()).then(|| self.exchange.saturating_sub(age))
    }

    /// How long a token source whose time is over may still take: it keeps to a limit of its own, or its answer has just
    /// come. It is cut off in the middle of this time.
    pub(crate) fn last_word(&self) -> Duration {
        (self.exchange / 10).min(Duration::from_secs(1))
    }

    /// The greatest age of an intent whose exchange may be under way.
    pub(super) fn longest(&self) -> Duration {
        self.exchange.saturating_add((self.exchange / 8).max(self.last_word() + self.storing()))
    }

    /// How old the note may be when the exchange begins. Writing it takes its time where the disk is busy.
    fn latest_begin(&self) -> Duration {
        (self.exchange / 16).max(Duration::from_millis(50)).min(self.exchange / 4)
    }

    /// How long it may take to store what an exchange has brought.
    fn storing(&self) -> Duration {
        (self.exchange / 5).min(Duration::from_secs(2))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn times(exchange: u64) -> Times {
        Times { exchange: millis(exchange), patience: Duration::ZERO }
    }

    #[test]
    fn an_exchange_that_begins_as_late_as_it_may_is_over_and_stored_before_others_begin() {
        // `(exchange, latest begin, last word, longest)`
        let table = [
            (100, 25, 10, 130),
            (300, 50, 30, 390),
            (1_000, 62, 100, 1_300),
            (7_000, 437, 700, 9_100),
            (10_000, 625, 1_000, 13_000),
            (24_000, 1_500, 1_000, 27_000),
            (30_000, 1_875, 1_000, 33_750),
            (3_600_000, 225_000, 1_000, 4_050_000),
        ];
        for (exchange, late, last_word, longest) in table {
            let times = times(exchange);
            let found = [times.latest_begin(), times.last_word(), times.longest()].map(|time| time.as_millis());
            assert_eq!(found, [late, last_word, longest].map(u128::from), "{exchange}");
            for age in [0, late / 2, late] {
                let left = times.left(UNIX_EPOCH, UNIX_EPOCH + millis(age)).unwrap();
                let stored = millis(age) + left + times.last_word() + times.storing();
                assert!(left > Duration::ZERO && stored <= times.longest(), "{exchange}: {stored:?}");
            }
        }
    }

    #[test]
    fn a_note_that_is_old_before_the_exchange_begins_is_written_again() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        let times = times(32_000);
        assert_eq!(times.left(at(0), at(2)), Some(Duration::from_secs(30)));
        assert_eq!(times.left(at(0), at(3)), None);
        assert_eq!(times.left(at(1), at(0)), None, "the clock has jumped");
    }
}
