//! [`Settings`]: how a pool and its stack behave, key by key, with defaults and ranges.
//!
//! Plain values that every other room may read. All keys stand in one type, although each room uses few of them: an
//! operator has one page for them, and a rule between two keys has one place.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::serialized::milliseconds;

/// How a pool and its stack behave. As JSON the keys are in camel case, and times are whole milliseconds.
///
/// ```
/// use oauth_marathon::config::Settings;
/// use std::time::Duration;
///
/// let mut settings = Settings::default();
/// settings.max_wait = Duration::from_secs(5);
/// settings.validate()?;
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// `maxAttempts`: the most credentials tried for one request. `None` means as many as there are, at most 16. If the
    /// limit ends a request while other credentials are ready, the best answer is returned with `Retry-After: 1`.
    pub max_attempts: Option<NonZeroU32>,
    /// `rateLimitCooldownMs`, 30 s: the cooldown after a 429 that states no time.
    #[serde(rename = "rateLimitCooldownMs", with = "milliseconds")]
    pub rate_limit_cooldown: Duration,
    /// `authFailureCooldownMs`, 5 min: the cooldown when a refreshed token is refused as well.
    #[serde(rename = "authFailureCooldownMs", with = "milliseconds")]
    pub auth_failure_cooldown: Duration,
    /// `networkRetryAttempts`, 1: further attempts with the same credential after a connection failed, each after a
    /// pause. The attempt at once after the first old connection does not count. With 0 there is neither: the next
    /// credential follows.
    pub network_retry_attempts: u32,
    /// `toastDurationMs`, 8 s: how long a failover notice asks to be shown.
    #[serde(rename = "toastDurationMs", with = "milliseconds")]
    pub toast_duration: Duration,
    /// `paymentCooldownMs`, 1 h: the cooldown after a 402.
    #[serde(rename = "paymentCooldownMs", with = "milliseconds")]
    pub payment_cooldown: Duration,
    /// `maxCooldownMs`, 8 days: the longest cooldown that a provider's stated time can cause.
    #[serde(rename = "maxCooldownMs", with = "milliseconds")]
    pub max_cooldown: Duration,
    /// `maxWaitMs`, 1 min: the longest time that a request may wait for a credential to recover.
    #[serde(rename = "maxWaitMs", with = "milliseconds")]
    pub max_wait: Duration,
    /// `refreshMarginMs`, 5 min: a token with less life left is refreshed early, while requests still use it.
    #[serde(rename = "refreshMarginMs", with = "milliseconds")]
    pub refresh_margin: Duration,
    /// `maxGrownCooldownMs`, 1 h: the longest cooldown of a credential whose refresh is refused again and again without
    /// a stated time; at least half a minute, from which it grows.
    #[serde(rename = "maxGrownCooldownMs", with = "milliseconds")]
    pub max_grown_cooldown: Duration,
    /// `connectTimeoutMs`, 10 s: the longest time that a bundled client may take to connect, with the TLS handshake;
    /// `None`, which is `null` in JSON, sets no limit. The library builds no client by itself: hand the value to
    /// `HttpClient::with_connect_timeout`, as the command `marathon` does.
    #[serde(rename = "connectTimeoutMs", with = "milliseconds::optional")]
    pub connect_timeout: Option<Duration>,
    /// `attemptTimeoutMs`, 10 min: the longest time that one attempt may wait for the head of its answer; `None`, which
    /// is `null` in JSON, sets no limit. After that time the attempt counts as a failed connection, and the next
    /// credential follows at once.
    #[serde(rename = "attemptTimeoutMs", with = "milliseconds::optional")]
    pub attempt_timeout: Option<Duration>,
    /// `streamIdleTimeoutMs`, 10 min: the longest time that the body of an answer may be silent while it is waited for;
    /// `None`, which is `null` in JSON, sets no limit. A body that is silent for longer ends with an error.
    #[serde(rename = "streamIdleTimeoutMs", with = "milliseconds::optional")]
    pub stream_idle_timeout: Option<Duration>,
    /// `exchangeTimeoutMs`, 30 s: the longest time that one exchange with the token endpoint may take, for any token
    /// source. If another process has begun an exchange without a known end, the refresh token is sent again only after
    /// this time and an eighth more, or three seconds more if that is longer; below 10 s three tenths more. So all
    /// processes that share a store need the same value.
    #[serde(rename = "exchangeTimeoutMs", with = "milliseconds")]
    pub exchange_timeout: Duration,
    /// `leaseMs`, 60 s: for a store whose leases end by time, how long a lease lasts after its holder has stopped;
    /// longer than `exchangeTimeoutMs`. The stores of this crate do not use it: the leases of
    /// [`FileStore`](crate::store::FileStore) and [`MemoryStore`](crate::store::MemoryStore) end with their holder.
    #[serde(rename = "leaseMs", with = "milliseconds")]
    pub lease: Duration,
    /// `streamHoldMs`, 30 s: the longest time from the head of a stream until its first content. Until then an error in
    /// the stream moves the request to the next credential; after that the stream goes to the caller unchanged. Zero
    /// holds nothing.
    #[serde(rename = "streamHoldMs", with = "milliseconds")]
    pub stream_hold: Duration,
    /// `replayLimitBytes`, 1 MiB: the most bytes of a request body that are kept to be sent again.
    pub replay_limit_bytes: u64,
    /// `strategy`: which credential comes next.
    pub strategy: StrategyName,
    /// `whenAllCooling`: what a request gets while every credential is cooling down.
    pub when_all_cooling: WhenAllCooling,
    /// `resend`: which requests are sent again after a lost answer.
    pub resend: Resend,
    /// `onBan`: what a request does after a ban, a suspension or a demand to verify the account.
    pub on_ban: OnBan,
}

/// Which credential comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StrategyName {
    /// The same one until it fails, because prompt caches live there.
    #[default]
    Sticky,
    /// Each in turn.
    RoundRobin,
}

/// What a request gets while every credential is cooling down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WhenAllCooling {
    /// At once, the last failed answer that the pool remembers.
    #[default]
    Answer,
    /// A wait, at most [`Settings::max_wait`] and never past its deadline.
    Wait,
    /// One request at a time is let through as a probe.
    Probe,
    /// An error of kind [`AllCooling`](crate::ErrorKind::AllCooling).
    Error,
}

/// Which requests are sent again when their answer was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resend {
    /// All, as the providers' own clients do.
    #[default]
    Always,
    /// Requests that surely were not processed, are idempotent, or carry an `Idempotency-Key`.
    Safe,
}

/// What a request does after a ban, a suspension or a demand to verify the account. The account is out either way,
/// until a person acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnBan {
    /// It returns the answer: the same request may get the next account banned as well.
    #[default]
    Return,
    /// It goes on with the next account.
    Next,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most credentials that are tried for one request, if `maxAttempts` is not set.
const USUAL_ATTEMPTS: u32 = 16;

/// The largest value of `maxAttempts`.
const MOST_ATTEMPTS: u32 = 1_000;

const MOST_NETWORK_RETRIES: u32 = 10;

const MOST_REPLAY_BYTES: u64 = 1024 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_attempts: None,
            rate_limit_cooldown: Duration::from_secs(30),
            auth_failure_cooldown: Duration::from_secs(5 * 60),
            network_retry_attempts: 1,
            toast_duration: Duration::from_secs(8),
            payment_cooldown: Duration::from_secs(60 * 60),
            max_cooldown: Duration::from_secs(8 * 24 * 60 * 60),
            max_wait: Duration::from_secs(60),
            refresh_margin: Duration::from_secs(5 * 60),
            max_grown_cooldown: Duration::from_secs(60 * 60),
            connect_timeout: Some(Duration::from_secs(10)),
            attempt_timeout: Some(Duration::from_secs(10 * 60)),
            stream_idle_timeout: Some(Duration::from_secs(10 * 60)),
            exchange_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(60),
            stream_hold: Duration::from_secs(30),
            replay_limit_bytes: 1024 * 1024,
            strategy: StrategyName::default(),
            when_all_cooling: WhenAllCooling::default(),
            resend: Resend::default(),
            on_ban: OnBan::default(),
        }
    }
}

impl Settings {
    /// Checks that the values are possible, each and together.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](crate::ErrorKind::Config), for a count or time outside of its range, a cooldown over
    /// [`max_cooldown`](Self::max_cooldown), or a [`lease`](Self::lease) that is no longer than an
    /// [exchange](Self::exchange_timeout).
    pub fn validate(&self) -> Result<(), Error> {
        match self.problem() {
            Some((key, problem)) => Err(Error::config(format!("{key}: {problem}"))),
            None => Ok(()),
        }
    }

    /// The most credentials that one round of a request tries: [`max_attempts`](Self::max_attempts), or 16 if that is
    /// not set.
    #[must_use]
    pub fn most_attempts(&self) -> usize {
        self.max_attempts.map_or(USUAL_ATTEMPTS, NonZeroU32::get) as usize
    }

    /// The first wrong value: its key, and what would be right.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let given = |time: Option<Duration>| time.unwrap_or(SECOND);
        let times = [
            ("rateLimitCooldownMs", self.rate_limit_cooldown, SECOND, YEAR),
            ("authFailureCooldownMs", self.auth_failure_cooldown, SECOND, YEAR),
            ("paymentCooldownMs", self.payment_cooldown, SECOND, YEAR),
            ("maxCooldownMs", self.max_cooldown, SECOND, YEAR),
            ("maxGrownCooldownMs", self.max_grown_cooldown, SECOND, YEAR),
            ("toastDurationMs", self.toast_duration, Duration::ZERO, DAY),
            ("maxWaitMs", self.max_wait, Duration::ZERO, DAY),
            ("refreshMarginMs", self.refresh_margin, Duration::ZERO, YEAR),
            ("streamHoldMs", self.stream_hold, Duration::ZERO, HOUR),
            ("exchangeTimeoutMs", self.exchange_timeout, Duration::from_millis(100), HOUR),
            ("leaseMs", self.lease, Duration::from_millis(100), DAY),
        ];
        let limits = [
            ("connectTimeoutMs", given(self.connect_timeout), HOUR),
            ("attemptTimeoutMs", given(self.attempt_timeout), DAY),
            ("streamIdleTimeoutMs", given(self.stream_idle_timeout), DAY),
        ];
        let counts = [
            ("maxAttempts", self.max_attempts.map_or(1, NonZeroU32::get).into(), MOST_ATTEMPTS.into()),
            ("networkRetryAttempts", self.network_retry_attempts.into(), MOST_NETWORK_RETRIES.into()),
            ("replayLimitBytes", self.replay_limit_bytes, MOST_REPLAY_BYTES),
        ];
        let millis = |time: Duration| time.as_millis();
        let cooldowns = &times[..3];
        if let Some((key, _, least, most)) = times.iter().find(|(_, time, least, most)| time < least || time > most) {
            return Some((key, format!("must be from {} to {}", millis(*least), millis(*most))));
        }
        if let Some((key, _, most)) = limits.iter().find(|(_, time, most)| time.is_zero() || time > most) {
            return Some((key, format!("must be from 1 to {}, or null for no limit", millis(*most))));
        }
        if let Some((key, _, most)) = counts.iter().find(|(_, count, most)| count > most) {
            return Some((key, format!("must be at most {most}")));
        }
        if let Some((key, ..)) = cooldowns.iter().find(|(_, time, ..)| *time > self.max_cooldown) {
            let most = millis(self.max_cooldown);
            return Some((key, format!("must be at most maxCooldownMs, which is {most}; lower this or raise that")));
        }
        if self.lease <= self.exchange_timeout {
            let least = millis(self.exchange_timeout);
            return Some(("leaseMs", format!("must be more than exchangeTimeoutMs, which is {least}")));
        }
        None
    }
}

#[cfg(test)]
mod tests;
