//! One credential of a pool with its health, and the readings that other code may take of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::State;
use super::cooldowns::Cooldowns;
use super::refreshing::{Need, RefreshState};
use crate::credentials::Credential;
use crate::pool::prepared::{Access, Slot};
use crate::pool::record_turn::RecordTurn;
use crate::tokens::refresh::across::StoreRelation;
use crate::verdict::{Kind, OutReason};

/// One credential of a pool.
#[derive(Debug)]
pub(in crate::pool) struct PoolEntry {
    pub(super) credential: Credential,
    pub(super) access: Arc<Access>,
    pub(super) cooldowns: Cooldowns,
    /// The models that it cools for.
    pub(super) models: Vec<Arc<str>>,
    pub(super) out: Option<OutReason>,
    pub(super) failures: u64,
    /// How many attempts in a row ended with a server error or a broken connection.
    pub(super) faults: u32,
    /// Whether the last status in the store is a failure, so that the next success is noted there.
    pub(super) is_noted_as_failing: bool,
    pub(super) refreshing: RefreshState,
    /// How its secret relates to what the store has held.
    pub(super) relation: StoreRelation,
    pub(super) record_turn: Arc<RecordTurn>,
}

/// A cooldown as people see it: the one with the latest end.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool) struct CooldownLeft {
    pub(in crate::pool) cause: Kind,
    /// How long it still lasts.
    pub(in crate::pool) left: Duration,
    /// How long until one request may probe a used-up quota before its stated reset.
    pub(in crate::pool) next_probe: Option<Duration>,
}

impl PoolEntry {
    pub(in crate::pool) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The headers and the base URL that go out with requests.
    #[inline]
    pub(in crate::pool) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// How its secret relates to what the store has held.
    pub(in crate::pool) fn relation(&self) -> StoreRelation {
        self.relation
    }

    /// The turn to refresh it or to write its record.
    pub(in crate::pool) fn record_turn(&self) -> &Arc<RecordTurn> {
        &self.record_turn
    }

    /// How many attempts with it failed.
    pub(in crate::pool) fn failures(&self) -> u64 {
        self.failures
    }

    /// Why it is out, if it is.
    pub(in crate::pool) fn out(&self) -> Option<OutReason> {
        self.out
    }

    pub(in crate::pool) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// Whether it has a refresh token.
    #[inline]
    pub(in crate::pool) fn is_refreshable(&self) -> bool {
        self.credential.material.refresh_token().is_some()
    }

    /// Whether it has a refresh token that is not known to be useless.
    pub(in crate::pool) fn has_good_refresh_token(&self) -> bool {
        self.is_refreshable() && self.refreshing.login_lost.is_none()
    }

    /// Whether it needs a refresh.
    #[inline]
    pub(in crate::pool) fn refresh_need(&self, now: Instant) -> Need {
        self.refreshing.need(&self.access, now)
    }

    /// Whether a refresh of it is under way.
    pub(in crate::pool) fn is_refreshing(&self) -> bool {
        self.refreshing.is_under_way()
    }

    /// The cooldown of the whole credential, if it cools.
    pub(in crate::pool) fn cooldown(&self, now: Instant) -> Option<CooldownLeft> {
        CooldownLeft::of(&self.cooldowns, now)
    }

    pub(super) fn is_of(&self, slot: &Arc<Slot>) -> bool {
        Arc::ptr_eq(&self.access.slot, slot)
    }

    /// Sets whether a success has to take the lock: to end a cooldown, to end a row of faults, or to note it for the store.
    pub(super) fn set_troubled(&self) {
        let troubled =
            !self.cooldowns.is_empty() || !self.models.is_empty() || self.is_noted_as_failing || self.faults > 0;
        self.access.slot.troubled.store(troubled, Relaxed);
    }
}

impl CooldownLeft {
    fn of(cooldowns: &Cooldowns, now: Instant) -> Option<Self> {
        let latest = cooldowns.latest().filter(|latest| latest.until > now)?;
        let next_probe = cooldowns.probe_plan().map(|plan| plan.at().saturating_duration_since(now));
        Some(Self { cause: latest.cause, left: latest.until - now, next_probe })
    }
}

impl State {
    /// The models that a credential cools for, each with its cooldown.
    pub(in crate::pool) fn model_cooldowns(
        &self,
        entry: &PoolEntry,
        now: Instant,
    ) -> impl Iterator<Item = (Arc<str>, CooldownLeft)> {
        let place = entry.access.slot.place;
        let of = move |model: &Arc<str>| {
            let cooldowns = self.models.schedule(model)?.cooldowns(place)?;
            Some((model.clone(), CooldownLeft::of(cooldowns, now)?))
        };
        entry.models.iter().filter_map(of)
    }
}
