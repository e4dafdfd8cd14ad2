//! What an operator can set.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

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
    /// `maxAttempts`: most credentials tried for one request; `None` is as many as there are.
    pub max_attempts: Option<NonZeroU32>,
    /// `rateLimitCooldownMs`, 30 s: the cooldown after a 429 that says nothing about when to return.
    #[serde(rename = "rateLimitCooldownMs", with = "milliseconds")]
    pub rate_limit_cooldown: Duration,
    /// `authFailureCooldownMs`, 5 min: the cooldown when a refreshed token is refused as well.
    #[serde(rename = "authFailureCooldownMs", with = "milliseconds")]
    pub auth_failure_cooldown: Duration,
    /// `networkRetryAttempts`, 1: further tries with the same credential after a transport error.
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
    /// `maxWaitMs`, 1 min: longest that a request may wait for a credential to recover.
    #[serde(rename = "maxWaitMs", with = "milliseconds")]
    pub max_wait: Duration,
    /// `refreshMarginMs`, 5 min: a token with less life left is refreshed early.
    #[serde(rename = "refreshMarginMs", with = "milliseconds")]
    pub refresh_margin: Duration,
    /// `attemptTimeoutMs`: longest until the head of an answer, whether or not it is held after that; `None` is without limit.
    #[serde(rename = "attemptTimeoutMs", with = "milliseconds::optional")]
    pub attempt_timeout: Option<Duration>,
    /// `streamHoldMs`, 30 s: longest from the head of a stream until its first content. Until then an error in the stream moves
    /// the request to the next credential; after that the stream goes to the caller as it is. Zero holds nothing.
    #[serde(rename = "streamHoldMs", with = "milliseconds")]
    pub stream_hold: Duration,
    /// `replayLimitBytes`, 1 MiB: most of a request body that is kept to be sent again.
    pub replay_limit_bytes: u64,
    /// `strategy`: which credential comes next.
    pub strategy: StrategyName,
    /// `whenAllCooling`: what a request gets while every credential is cooling down.
    pub when_all_cooling: WhenAllCooling,
    /// `resend`: which requests are sent again after a lost answer.
    pub resend: Resend,
    /// `onBan`: what a request does that met a ban, a suspension or a demand to verify the account.
    pub on_ban: OnBan,
}

/// Which credential comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StrategyName {
    /// The same one until it fails, as prompt caches live there.
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
    /// The last failure that the pool remembers, at once.
    #[default]
    Answer,
    /// It waits, at most [`Settings::max_wait`] and never past its deadline.
    Wait,
    /// One request at a time is sent nevertheless.
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
    /// Those that surely were not processed, are idempotent, or carry an `Idempotency-Key`.
    Safe,
}

/// What a request does that met a ban, a suspension or a demand to verify the account. The account is out either way, until a
/// person acts.
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

/// Ten years: beyond every real use, and far from where times overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

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
            attempt_timeout: None,
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
    /// Of kind [`Config`](crate::ErrorKind::Config), for a time over ten years, a cooldown over
    /// [`max_cooldown`](Self::max_cooldown), or an [`attempt_timeout`](Self::attempt_timeout) of zero.
    pub fn validate(&self) -> Result<(), Error> {
        match self.problem() {
            Some((key, problem)) => Err(Error::config(format!("{key}: {problem}"))),
            None => Ok(()),
        }
    }

    /// The first impossible value: its key, and what would be right.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let cooldowns = [
            ("rateLimitCooldownMs", self.rate_limit_cooldown),
            ("authFailureCooldownMs", self.auth_failure_cooldown),
            ("paymentCooldownMs", self.payment_cooldown),
        ];
        let others = [
            ("maxCooldownMs", self.max_cooldown),
            ("toastDurationMs", self.toast_duration),
            ("maxWaitMs", self.max_wait),
            ("refreshMarginMs", self.refresh_margin),
            ("attemptTimeoutMs", self.attempt_timeout.unwrap_or_default()),
            ("streamHoldMs", self.stream_hold),
        ];
        if let Some((key, _)) = others.into_iter().find(|(_, time)| *time > LONGEST) {
            return Some((key, format!("must be at most {} (ten years)", LONGEST.as_millis())));
        }
        if let Some((key, _)) = cooldowns.into_iter().find(|(_, time)| *time > self.max_cooldown) {
            let most = self.max_cooldown.as_millis();
            return Some((key, format!("must be at most maxCooldownMs, which is {most}; lower this or raise that")));
        }
        if self.attempt_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Some(("attemptTimeoutMs", "must be 1 or more; leave the key out for no time limit".to_owned()));
        }
        None
    }
}

/// Durations as whole milliseconds; a fraction of one is dropped.
mod milliseconds {
    use super::{Deserialize, Duration};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Duration, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
        }
    }
}

#[cfg(test)]
mod tests;
