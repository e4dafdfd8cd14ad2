//! The time of day, set by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::WallClock;

/// A wall clock that stands still until it is set or advanced, or [goes](ManualClock::running) with tokio's clock. Clones
/// share one time.
///
/// It moves dates and token expiries; cooldowns and waits follow tokio's clock alone.
///
/// ```
/// use oauth_marathon::clock::WallClock;
/// use oauth_marathon::testing::ManualClock;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let clock = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_000));
/// let seen_by_the_pool = clock.clone();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(seen_by_the_pool.now(), UNIX_EPOCH + Duration::from_secs(1_060));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Time>>);

#[derive(Debug)]
struct Time {
    shown: SystemTime,
    /// Since when tokio's clock moves it on.
    since: Option<Instant>,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Time { shown: now, since: None })))
    }

    /// Lets it go with tokio's clock from here on: where that is paused, both move by `tokio::time::advance` and by waits.
    /// Setting and advancing it then are jumps.
    ///
    /// ```
    /// use oauth_marathon::clock::WallClock;
    /// use oauth_marathon::testing::ManualClock;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let clock = ManualClock::default().running();
    /// let begun = clock.now();
    /// tokio::time::sleep(Duration::from_secs(3600)).await;
    /// assert_eq!(clock.now(), begun + Duration::from_secs(3600));
    /// # }
    /// ```
    #[must_use]
    pub fn running(self) -> Self {
        let mut time = self.time();
        time.shown = time.now();
        time.since = Some(Instant::now());
        drop(time);
        self
    }

    /// Sets the time, also back.
    pub fn set(&self, now: SystemTime) {
        let mut time = self.time();
        time.shown = now;
        time.since = time.since.map(|_| Instant::now());
    }

    /// Moves the time on. It stays where it is if that is too far to name.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time();
        time.shown = time.shown.checked_add(by).unwrap_or(time.shown);
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    fn now(&self) -> SystemTime {
        let gone = self.since.map(|since| since.elapsed()).unwrap_or_default();
        self.shown.checked_add(gone).unwrap_or(self.shown)
    }
}

impl Default for ManualClock {
    /// Shows the first second of 2026 (UTC).
    fn default() -> Self {
        Self::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> SystemTime {
        self.time().now()
    }
}
