//! The pause between two polls of the device grant (RFC 8628 section 3.5): pure.

use std::time::Duration;

/// What `slow_down` adds to this and all later pauses (RFC 8628).
const SLOWER: Duration = Duration::from_secs(5);
/// The longest pause of the back-off while a server cannot be reached.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// The pause between polls. It is never shorter than the server asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pace {
    interval: Duration,
    /// The last pause of the back-off. `None` once the server has answered.
    backoff: Option<Duration>,
    retry_after: Duration,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, backoff: None, retry_after: Duration::ZERO }
    }

    /// The next pause.
    pub(super) fn pause(&self) -> Duration {
        self.backoff.unwrap_or(self.interval).max(self.interval).max(self.retry_after)
    }

    /// Notes that the server has answered.
    pub(super) fn answered(&mut self) {
        self.backoff = None;
        self.retry_after = Duration::ZERO;
    }

    /// Applies `slow_down`, with the new interval if the answer names one.
    pub(super) fn slow_down(&mut self, asked: Option<Duration>) {
        self.answered();
        self.interval = asked.filter(|asked| *asked > self.interval).unwrap_or(self.interval.saturating_add(SLOWER));
    }

    /// Applies a missing answer, or the answer of a failing server: the pause doubles, and obeys `Retry-After`.
    pub(super) fn trouble(&mut self, retry_after: Option<Duration>) {
        let doubled = self.backoff.unwrap_or(self.interval).saturating_mul(2);
        self.backoff = Some(doubled.min(LONGEST_BACKOFF));
        self.retry_after = retry_after.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good_or_takes_the_interval_of_the_answer() {
        let mut pace = Pace::new(seconds(5));
        assert_eq!(pace.pause(), seconds(5));
        pace.slow_down(None);
        assert_eq!(pace.pause(), seconds(10));
        pace.answered();
        assert_eq!(pace.pause(), seconds(10));
        pace.slow_down(Some(seconds(17)));
        assert_eq!(pace.pause(), seconds(17));
        // A shorter interval than the present one is a mistake.
        pace.slow_down(Some(seconds(3)));
        assert_eq!(pace.pause(), seconds(22));
    }

    #[test]
    fn trouble_doubles_the_pause_up_to_a_minute_and_an_answer_ends_that() {
        let mut pace = Pace::new(seconds(5));
        for expected in [10, 20, 40, 60, 60] {
            pace.trouble(None);
            assert_eq!(pace.pause(), seconds(expected));
        }
        pace.trouble(Some(seconds(100)));
        assert_eq!(pace.pause(), seconds(100));
        pace.answered();
        assert_eq!(pace.pause(), seconds(5));
    }

    #[test]
    fn no_back_off_is_shorter_than_the_interval() {
        let mut pace = Pace::new(seconds(90));
        for _ in 0..3 {
            pace.trouble(None);
            assert_eq!(pace.pause(), seconds(90));
        }
        let mut pace = Pace::new(Duration::MAX);
        pace.slow_down(None);
        pace.trouble(None);
        assert_eq!(pace.pause(), Duration::MAX);
    }
}
