//! The snapshot of a pool: its state at one moment, without secrets.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use serde::Serialize;

use super::handle::Pool;
use super::state::{CooldownLeft, PoolEntry, State};
use crate::clock;
use crate::credentials::CredentialId;
use crate::credentials::Generation;
use crate::providers::quota::Quota;
use crate::serialized::{milliseconds, optional_status, optional_time};
use crate::verdict::Kind;
use crate::verdict::OutReason;

/// A pool at one moment.
///
/// Serialized, its fields are in camel case and all present: durations as whole milliseconds under a key that ends in `Ms`,
/// times of day as milliseconds since 1970, statuses as numbers, causes and reasons as their words, and `null` for what is
/// not known. A later version may add fields, and renames none.
///
/// ```
/// use oauth_marathon::{Credential, Pool, Secret};
/// use serde_json::json;
///
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("sk-1")).label("Work"))
///     .build()?;
/// let mut snapshot = serde_json::to_value(pool.snapshot())?;
/// // The time from which its resets count.
/// assert!(snapshot["credentials"][0]["quota"]["asOf"].take().is_u64());
/// assert_eq!(
///     snapshot,
///     json!({ "provider": "openai", "credentials": [{
///         "id": "work", "label": "Work", "subject": null,
///         // Or { "state": "cooling", "cooldownMs": 30000, "cause": "throttled" }, { "state": "out", "reason": "revoked" }.
///         "standing": { "state": "ready" },
///         // Or [{ "model": "large", "cooldownMs": 30000, "cause": "throttled", "nextProbeMs": null }].
///         "models": [],
///         "nextProbeMs": null, "generation": 1, "expiresAt": null, "refreshing": false,
///         "successes": 0, "failures": 0, "inFlight": 0, "lastStatus": null,
///         "quota": { "windows": [], "asOf": null },
///     }] })
/// );
/// # Ok::<_, oauth_marathon::BoxError>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// The provider's id.
    pub provider: String,
    /// The credentials in the order of use: first the ready ones, beginning with the active one; then the cooling ones,
    /// by their recovery; then those that are out.
    pub credentials: Vec<CredentialSnapshot>,
}

/// A credential at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CredentialSnapshot {
    /// Its id.
    pub id: CredentialId,
    /// What people call it.
    pub label: String,
    /// The account's own id at the provider.
    pub subject: Option<String>,
    /// Whether it can be used.
    pub standing: Standing,
    /// The models that it cools for while it serves others, by their names.
    pub models: Vec<ModelSnapshot>,
    /// How long until one request may probe a used-up quota before its stated reset. A model that cools by itself has its own
    /// time, in `models`.
    #[serde(rename = "nextProbeMs", with = "milliseconds::optional")]
    pub next_probe: Option<Duration>,
    /// The generation of its token: 1 at first, and higher after each change.
    pub generation: Generation,
    /// When its token expires, where that is known.
    #[serde(serialize_with = "optional_time")]
    pub expires_at: Option<SystemTime>,
    /// Whether its token is being refreshed now.
    pub refreshing: bool,
    /// How many attempts succeeded.
    pub successes: u64,
    /// How many attempts failed.
    pub failures: u64,
    /// How many attempts use it now, streaming answers included.
    pub in_flight: u32,
    /// The last status that it was answered with; in an [opened](crate::pool::PoolBuilder::open) pool, before its first answer,
    /// the [one that is stored](crate::store::Health::last_status).
    #[serde(serialize_with = "optional_status")]
    pub last_status: Option<StatusCode>,
    /// What its latest answers said about limits, without what is no longer true.
    pub quota: Quota,
}

/// A model that a credential cools for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ModelSnapshot {
    /// Its name, as requests state it. Empty for the requests whose model is unknown: they share one cooldown.
    pub model: String,
    /// How much longer it cools.
    #[serde(rename = "cooldownMs", with = "milliseconds")]
    pub cooldown: Duration,
    /// The cause of the cooldown with the latest end.
    pub cause: Kind,
    /// How long until one request may probe its used-up quota before the stated reset.
    #[serde(rename = "nextProbeMs", with = "milliseconds::optional")]
    pub next_probe: Option<Duration>,
}

/// Whether a credential can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Standing {
    /// It is ready.
    Ready,
    /// It is cooling.
    #[non_exhaustive]
    Cooling {
        /// How much longer it cools.
        #[serde(rename = "cooldownMs", with = "milliseconds")]
        cooldown: Duration,
        /// The cause of the cooldown with the latest end.
        cause: Kind,
    },
    /// It is out until a person acts.
    #[non_exhaustive]
    Out {
        /// Why it is out.
        reason: OutReason,
    },
}

impl PoolSnapshot {
    /// The credential with this id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&CredentialSnapshot> {
        self.credentials.iter().find(|credential| credential.id == *id)
    }
}

impl Pool {
    /// The pool as it is now. It copies every credential's figures: for people and metrics, not for each request.
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        let (now, wall) = (clock::now(), self.0.wall.now());
        let state = self.state();
        let slots: Vec<_> = state.in_order().map(|entry| entry.access().slot.clone()).collect();
        let mut credentials: Vec<_> =
            state.in_order().map(|entry| CredentialSnapshot::of(&state, entry, now)).collect();
        drop(state);
        // Parsing header fields takes time, so the lock is released before.
        for (credential, slot) in credentials.iter_mut().zip(slots) {
            credential.quota = slot.quota.read(wall);
        }
        PoolSnapshot { provider: self.0.provider.to_string(), credentials }
    }
}

impl CredentialSnapshot {
    fn of(state: &State, entry: &PoolEntry, now: Instant) -> Self {
        let (access, credential) = (entry.access(), entry.credential());
        let slot = &access.slot;
        let cooldown = entry.cooldown(now);
        let standing = match (entry.out(), cooldown) {
            (Some(reason), _) => Standing::Out { reason },
            (None, Some(CooldownLeft { left, cause, .. })) => Standing::Cooling { cooldown: left, cause },
            (None, None) => Standing::Ready,
        };
        let mut models: Vec<_> = state.model_cooldowns(entry, now).map(ModelSnapshot::of).collect();
        models.sort_unstable_by(|one, other| one.model.cmp(&other.model));
        Self {
            id: slot.id.clone(),
            label: slot.label().to_string(),
            subject: credential.subject.clone(),
            standing,
            models,
            next_probe: cooldown.and_then(|cooldown| cooldown.next_probe),
            generation: access.generation,
            expires_at: credential.material.tokens().and_then(|tokens| tokens.expiry()),
            refreshing: entry.is_refreshing(),
            successes: slot.successes.load(Relaxed),
            failures: entry.failures(),
            in_flight: slot.in_flight.load(Relaxed),
            last_status: StatusCode::from_u16(slot.last_status.load(Relaxed)).ok(),
            quota: Quota::unknown(SystemTime::UNIX_EPOCH),
        }
    }
}

impl ModelSnapshot {
    fn of((model, cooldown): (Arc<str>, CooldownLeft)) -> Self {
        let CooldownLeft { left, cause, next_probe } = cooldown;
        Self { model: model.to_string(), cooldown: left, cause, next_probe }
    }
}
