//! How the times of one exchange add up, so that no two processes send the same refresh token at once.
//!
//! All times are counted from the stored intent, because other processes see nothing else. The exchange begins soon
//! after the intent, ends within its limit and a last word, and is followed by the write to the store.

use std::time::{Duration, SystemTime};

/// The limits of one refresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The longest time of one exchange, in all processes: `exchangeTimeoutMs`.
    pub(crate) exchange: Duration,
    /// How long a refresh waits for an exchange that another process has begun.
    pub(crate) patience: Duration,
}

impl Times {
    /// The time that is left for an exchange that begins now. `None` if the intent has become too old, or the clock was
    /// set back: then the intent has to be written again.
    pub(super) fn left(&self, noted: SystemTime, now: SystemTime) -> Option<Duration> {
        let age = now.duration_since(noted).ok()?;
        (age <= self.latest_begin()).then(|| self.exchange.saturating_sub(age))
    }

    /// The last word: how long a token source may still take after its time is over. It may keep to a limit of its own,
    /// or its answer may have just come. The pool cuts it off in the middle of this time.
    pub(crate) fn last_word(&self) -> Duration {
        (self.exchange / 10).min(Duration::from_secs(1))
    }

    /// The greatest age of an intent whose exchange may be under way.
    pub(super) fn longest(&self) -> Duration {
        self.exchange.saturating_add((self.exchange / 8).max(self.last_word() + self.storing()))
    }

    /// The greatest age of the intent at which the exchange may begin. Writing the intent takes a while if the disk is
    /// busy.
    fn latest_begin(&self) -> Duration {
        (self.exchange / 16).max(Duration::from_millis(50)).min(self.exchange / 4)
    }

    /// How long the write of the new tokens may take.
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
