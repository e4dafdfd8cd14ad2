//! The end of a refresh: the new token is published, or the failure is held against the credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Need, RefreshOutcome, WhyNoToken};
use crate::config::Settings;
use crate::credentials::{Credential, Generation};
use crate::pool::prepared::{Access, Slot};
use crate::pool::state::cooldowns::begin::NewCooldown;
use crate::pool::state::{Effects, PoolEntry, State};
use crate::store::Record;
use crate::sync::oneshot;
use crate::tokens::refresh::across::{Newer, StoreRelation, is_same, newer};
use crate::verdict::Kind;

/// The result of publishing a refreshed credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Published {
    /// A new token is in use.
    Replaced,
    /// The token is the same as before, and stays in use.
    Same,
    /// The token is the same as before, and useless.
    SameAndUseless,
}

impl State {
    /// Ends the refresh of a credential. Returns the waiters, and whether the token that it began with was replaced
    /// meanwhile: the outcome for an old token says nothing about one that a person has put in.
    #[must_use]
    pub(in crate::pool) fn end_refresh(
        &mut self,
        slot: &Arc<Slot>,
        replaces: Generation,
    ) -> (Vec<oneshot::Sender<RefreshOutcome>>, bool) {
        let Some(entry) = self.owner(slot) else { return (Vec::new(), false) };
        let is_overtaken = entry.access.generation != replaces;
        (entry.refreshing.waiting.take().unwrap_or_default(), is_overtaken)
    }

    /// Takes note of a refreshed record. Returns the credential that is to be [published](State::publish), if any: a
    /// removal wins over a refresh, and so does a token that a person has put in meanwhile. `follows` says whether the
    /// pool follows its store.
    pub(in crate::pool) fn learn_refreshed(
        &mut self,
        slot: &Arc<Slot>,
        stored: Record,
        follows: bool,
        settings: &Settings,
        now: Instant,
    ) -> Option<Credential> {
        let is_unsaved = self.is_unsaved(&slot.id);
        let entry = self.owner(slot)?;
        match newer(&entry.relation, &entry.credential.material, &stored) {
            Newer::Ours => return None,
            Newer::Same if entry.access.generation == stored.generation => {
                self.pause_if_early(slot, settings, now);
                return None;
            }
            Newer::Same | Newer::Theirs => {}
        }
        // A label, header or base URL that was changed in the pool meanwhile stays.
        let is_whole = follows && (entry.relation.is_addition() || !is_unsaved);
        Some(match is_whole {
            true => stored.credential,
            false => Credential { material: stored.credential.material, ..entry.credential.clone() },
        })
    }

    /// Publishes a refreshed credential.
    pub(in crate::pool) fn publish(
        &mut self,
        slot: &Arc<Slot>,
        credential: Credential,
        access: Arc<Access>,
        settings: &Settings,
        now: Instant,
    ) -> Published {
        let Some(entry) = self.owner(slot) else { return Published::Same };
        let relation = StoreRelation::stored(access.generation);
        if is_same(&entry.credential.material, &credential.material) {
            entry.relation = relation;
            self.relabel(slot.place, credential, access);
            return self.same_again(slot, settings, now);
        }
        self.replace_secret(slot.place, credential, access, relation);
        Published::Replaced
    }

    /// Handles an exchange that brought the token that was to be replaced: the token endpoint has no other for now. If
    /// the token is valid it stays in use, even if the provider has refused it once.
    fn same_again(&mut self, slot: &Arc<Slot>, settings: &Settings, now: Instant) -> Published {
        let Some(entry) = self.owner(slot) else { return Published::Same };
        entry.refreshing.forced = false;
        if entry.refresh_need(now) == (Need::Refresh { valid: false }) {
            return Published::SameAndUseless;
        }
        self.pause_if_early(slot, settings, now);
        Published::Same
    }

    /// Pauses refreshes if the new token is due for the next one already.
    fn pause_if_early(&mut self, slot: &Arc<Slot>, settings: &Settings, now: Instant) {
        let Some(entry) = self.owner(slot) else { return };
        if entry.refresh_need(now) == (Need::Refresh { valid: true }) {
            entry.refreshing.failed(WhyNoToken::Refused, None, settings, now);
        }
    }

    /// Removes a credential that the store no longer holds: a removal wins over a refresh, unless another secret was
    /// put in meanwhile. Drop the result after the lock.
    #[must_use]
    pub(in crate::pool) fn remove_refreshed(&mut self, slot: &Arc<Slot>, is_overtaken: bool) -> Option<PoolEntry> {
        if is_overtaken || self.owner(slot).is_none() {
            return None;
        }
        self.remove(slot.id.as_str())
    }

    /// Holds a failed refresh against its credential. A token that is still valid stays in use; otherwise the credential
    /// cools, or is out until a person logs in. The `bool` says whether the failure is worth an event of its own.
    pub(in crate::pool) fn refresh_failed(
        &mut self,
        slot: &Arc<Slot>,
        why: WhyNoToken,
        stated: Option<Duration>,
        settings: &Settings,
        now: Instant,
    ) -> (bool, Effects) {
        let Some(entry) = self.owner(slot) else { return (false, Effects::default()) };
        let is_valid = matches!(entry.refresh_need(now), Need::Nothing | Need::Refresh { valid: true });
        let pause = entry.refreshing.failed(why, stated, settings, now);
        match (why, is_valid) {
            (WhyNoToken::Login(reason), true) => {
                entry.refreshing.is_reported = true;
                (false, Effects { out: Some((slot.clone(), reason)), ..Effects::default() })
            }
            (WhyNoToken::Login(reason), false) => (false, self.take_out(slot.place, reason, now)),
            // Another process is about to store a new token, which this pool takes over.
            (WhyNoToken::Busy, true) => (false, Effects::default()),
            (WhyNoToken::ForNow | WhyNoToken::Refused, true) => (true, Effects::default()),
            (WhyNoToken::Busy | WhyNoToken::ForNow | WhyNoToken::Refused, false) => {
                let (cause, guessed) = (Kind::Unauthorized, stated.is_none());
                let cooldown = NewCooldown { cause, model: None, length: pause, guessed, jitter: fastrand::f64 };
                (true, self.cool(slot.place, cooldown, now))
            }
        }
    }
}
