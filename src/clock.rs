//! The two clocks: a monotonic one for cooldowns and waits, and the wall clock for dates that servers name.
//!
//! Nothing else in the crate reads a clock, so paused time (`tokio::time::pause`) governs every rule.

use std::fmt;
use std::pin::Pin;
use std::time::{Instant, SystemTime};

use crate::sync::Handle;
use crate::sync::time::{Sleep, sleep_until};

/// The monotonic clock. Jumps of the wall clock do not move it.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(not(shuttle))]
    return tokio::time::Instant::now().into_std();
    #[cfg(shuttle)]
    crate::sync::time::now()
}

/// A timer that is ready at this time. `None` outside of a runtime, where there are no timers.
pub(crate) fn timer(at: Instant) -> Option<Pin<Box<Sleep>>> {
    Handle::try_current().is_ok().then(|| Box::pin(sleep_until(at.into())))
}

/// The time of day. It is needed only for dates that a server or a token names.
///
/// ```
/// use oauth_marathon::clock::{SystemClock, WallClock};
///
/// assert!(SystemClock::default().now() > std::time::UNIX_EPOCH);
/// ```
pub trait WallClock: fmt::Debug + Send + Sync + 'static {
    /// The current time of day.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<F> WallClock for ClockFn<F>
where
    F: Fn() -> SystemTime + Send + Sync + 'static,
{
    fn now(&self) -> SystemTime {
        (self.0)()
    }
}

/// A wall clock read from a closure; made by [`clock_fn`].
pub struct ClockFn<F>(F);

impl<F> fmt::Debug for ClockFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("clock_fn")
    }
}

/// A wall clock that asks `f` for the time, for tests and for clocks synchronised elsewhere.
///
/// ```
/// use oauth_marathon::clock::{WallClock, clock_fn};
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let clock = clock_fn(|| UNIX_EPOCH + Duration::from_secs(60));
/// assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_secs(60));
/// ```
pub fn clock_fn<F>(f: F) -> ClockFn<F>
where
    F: Fn() -> SystemTime + Send + Sync + 'static,
{
    ClockFn(f)
}
