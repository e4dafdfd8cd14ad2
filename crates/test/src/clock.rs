//! A wall clock that is set by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use oauth_marathon::clock::WallClock;
use tokio::time::Instant;

/// A wall clock that stands still until it is set or advanced, or [goes](ManualClock::running) with tokio's clock. Clones
/// share one time.
///
/// The clock is read wherever a date is: in the header fields of an answer, in a store, and in the expiry of a token at
/// the moment at which the pool takes the token in. From then on the token's life follows tokio's clock, like cooldowns
/// and waits, so that no jump of the time of day makes a good token bad: setting or advancing this clock moves the
/// expiry of no token that a pool holds. To let a token expire, let this clock [go](Self::running) and tokio's time
/// pass:
///
/// ```
/// use oauth_marathon::clock::WallClock;
/// use oauth_marathon_test::{ManualClock, ScriptedProvider, ScriptedTokens};
/// use oauth_marathon::{Credential, MarathonLayer, Pool, TokenSet};
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// # let post = || http::Request::post("https://api.example.com/v1/chat").body(Full::<Bytes>::from("{}"));
/// let clock = ManualClock::default().running();
/// let hour = Duration::from_secs(3600);
/// let tokens = TokenSet::new("first").with_refresh("r").expires_at(clock.now() + hour);
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", tokens))
///     .token_source(ScriptedTokens::new())
///     .clock(clock.clone())
///     .build()?;
/// let provider = ScriptedProvider::new();
/// let client = MarathonLayer::new(pool).layer(provider.clone());
///
/// // A jump of the time of day ends no token.
/// clock.advance(2 * hour);
/// client.clone().oneshot(post()?).await?;
/// assert_eq!(provider.tokens(), ["first"]);
///
/// // Time that passes does.
/// tokio::time::sleep(hour).await;
/// client.oneshot(post()?).await?;
/// assert_ne!(provider.tokens()[1], "first");
/// # Ok(()) }
/// ```
///
/// ```
/// use oauth_marathon::clock::WallClock;
/// use oauth_marathon_test::ManualClock;
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
    /// The time on tokio's clock from which this clock goes with it; `None` while it stands still.
    since: Option<Instant>,
}

impl ManualClock {
    /// A clock that stands still at `now`.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Time { shown: now, since: None })))
    }

    /// Lets the clock go with tokio's clock from here on. If that is paused, both move by `tokio::time::advance` and by
    /// waits. Setting and advancing this clock then are jumps.
    ///
    /// ```
    /// use oauth_marathon::clock::WallClock;
    /// use oauth_marathon_test::ManualClock;
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

    /// Sets the time, forwards or backwards.
    pub fn set(&self, now: SystemTime) {
        let mut time = self.time();
        time.shown = now;
        time.since = time.since.map(|_| Instant::now());
    }

    /// Moves the time on. It stays where it is if the sum is too far for a `SystemTime`.
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
    /// A clock that stands at the first second of 2026 (UTC).
    fn default() -> Self {
        Self::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> SystemTime {
        self.time().now()
    }
}
