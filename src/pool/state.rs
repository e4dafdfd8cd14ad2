//! What a pool knows, behind its one lock: plain data, and transitions that take the time as an argument.
//!
//! A transition does no input or output. What has to be told to others is returned as [`Effects`], and happens after the
//! lock is released.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::access::{Access, Slot};
use super::answer::Remembered;
use super::renewing::Renewing;
use super::rotation::Rotation;
use crate::account::{Credential, CredentialId};
use crate::notify::LoginReason;
use crate::token::Generation;
use crate::verdict::{Kind, Scope, Verdict};

/// All credentials of one pool.
#[derive(Debug, Default)]
pub(crate) struct State {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    places: HashMap<CredentialId, u32>,
    pub(crate) rotation: Rotation,
    /// Counts the cooldowns, so that a success can tell those that began before its attempt.
    pub(crate) changes: u64,
    /// Whether a request is out to see if a resting credential works again.
    pub(crate) probing: bool,
    pub(crate) remembered: Option<Arc<Remembered>>,
    pub(crate) closed: bool,
    /// Whether a task watches for recoveries.
    pub(crate) watching: bool,
    /// The greatest generation so far.
    pub(crate) newest: Generation,
}

/// One credential.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) credential: Credential,
    pub(crate) access: Arc<Access>,
    pub(crate) cooldowns: Vec<Cooldown>,
    pub(crate) out: Option<LoginReason>,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<Instant>,
    pub(crate) renewing: Renewing,
}

/// One reason to rest. Another cause has another one; the latest end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) cause: Kind,
    pub(crate) began: Instant,
    pub(crate) until: Instant,
    /// The count of changes when it began.
    pub(crate) since: u64,
    /// The time is ours, the provider stated none.
    pub(crate) guessed: bool,
}

/// What a transition asks to be told, once the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Effects {
    pub(crate) recovered: Vec<Arc<Slot>>,
    pub(crate) cooled: Option<(Arc<Slot>, Kind, Duration)>,
    pub(crate) out: Option<(Arc<Slot>, LoginReason)>,
    /// The last credential that was ready is not any more; when the first one recovers, if one will.
    pub(crate) ran_dry: Option<Option<Duration>>,
}

impl Effects {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.recovered.is_empty() && self.cooled.is_none() && self.out.is_none() && self.ran_dry.is_none()
    }
}

impl State {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)?.as_ref()
    }

    pub(crate) fn entry_mut(&mut self, place: u32) -> Option<&mut Entry> {
        self.entries.get_mut(place as usize)?.as_mut()
    }

    /// The entry that `slot` belongs to, unless it was removed or its place has another owner now.
    pub(crate) fn owner(&mut self, slot: &Arc<Slot>) -> Option<&mut Entry> {
        self.entry_mut(slot.place).filter(|entry| Arc::ptr_eq(&entry.access.slot, slot))
    }

    pub(crate) fn place_of(&self, id: &str) -> Option<u32> {
        self.places.get(id).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &CredentialId> {
        self.entries().map(|entry| &entry.credential.id)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    /// In the order of use: those that are ready, those that rest by their recovery, those that are out.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let in_rotation = self.rotation.queued().chain(self.rotation.resting().map(|(_, place)| place));
        in_rotation.filter_map(|place| self.entry(place)).chain(self.entries().filter(|entry| entry.out.is_some()))
    }

    /// Where the next credential will be kept.
    pub(crate) fn free_place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }

    /// Returns a place that was not used after all.
    pub(crate) fn give_back(&mut self, place: u32) {
        if (place as usize) < self.entries.len() {
            self.free.push(place);
        }
    }

    /// Adds a credential at the back of the order.
    pub(crate) fn insert(&mut self, credential: Credential, access: Arc<Access>) {
        let place = access.slot.place;
        self.places.insert(credential.id.clone(), place);
        let entry = Entry {
            credential,
            access,
            cooldowns: Vec::new(),
            out: None,
            failures: 0,
            last_failure: None,
            renewing: Renewing::default(),
        };
        let at = place as usize;
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, || None);
        }
        if let Some(vacant) = self.entries.get_mut(at) {
            *vacant = Some(entry);
        }
        self.rotation.to_back(place);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Entry> {
        let place = self.places.remove(id)?;
        self.rotation.take_out(place);
        self.free.push(place);
        let entry = self.entries.get_mut(place as usize)?.take()?;
        self.newest = self.newest.max(entry.access.generation);
        Some(entry)
    }

    /// Gives a credential a new secret, and with it a new start: what was held against the old one does not count.
    pub(crate) fn renew(&mut self, place: u32, credential: Credential, access: Arc<Access>) {
        let Some(entry) = self.entry_mut(place) else { return };
        entry.credential = credential;
        entry.access = access;
        entry.renewing.settled();
        let was_out = entry.out.take().is_some();
        entry.cooldowns.retain(|cooldown| !matches!(cooldown.cause, Kind::Unauthorized | Kind::Forbidden));
        self.reschedule(place, was_out);
    }

    /// Lifts the cooldowns of a scope; the whole credential's scope lifts everything that keeps it from being used.
    pub(crate) fn clear(&mut self, place: u32, scope: Scope) {
        let Some(entry) = self.entry_mut(place) else { return };
        let all = scope == Scope::Credential;
        entry.cooldowns.retain(|cooldown| !all && Verdict::new(cooldown.cause).scope() != scope);
        let was_out = all && entry.out.take().is_some();
        entry.renewing.told &= !was_out;
        self.reschedule(place, was_out);
    }

    /// Lets a credential rest. For one cause the later end wins.
    pub(crate) fn rest(&mut self, place: u32, cause: Kind, rest: Duration, guessed: bool, now: Instant) -> Effects {
        self.changes += 1;
        let since = self.changes;
        let was_ready = self.rotation.is_queued(place);
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let until = now.checked_add(rest).unwrap_or(now);
        let cooldown = Cooldown { cause, began: now, until, since, guessed };
        match entry.cooldowns.iter_mut().find(|known| known.cause == cause) {
            Some(known) if known.until >= until => known.since = since,
            Some(known) => *known = cooldown,
            None => entry.cooldowns.push(cooldown),
        }
        let slot = entry.access.slot.clone();
        self.reschedule(place, false);
        let dry = was_ready && self.rotation.first().is_none();
        // Only the first of many failures alike is news.
        let cooled = was_ready.then_some((slot, cause, rest));
        Effects { cooled, ran_dry: dry.then(|| self.recovery_after(now)), ..Effects::default() }
    }

    /// Takes a credential out until a person acts.
    pub(crate) fn take_out(&mut self, place: u32, reason: LoginReason, now: Instant) -> Effects {
        let was_ready = self.rotation.is_queued(place);
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let slot = entry.access.slot.clone();
        entry.out = Some(reason);
        let told = std::mem::replace(&mut entry.renewing.told, true);
        let news = (!told).then_some((slot, reason));
        self.rotation.take_out(place);
        let dry = was_ready && self.rotation.first().is_none();
        Effects { out: news, ran_dry: dry.then(|| self.recovery_after(now)), ..Effects::default() }
    }

    /// Lifts the throttle and network cooldowns that began before an attempt that then succeeded.
    pub(crate) fn lift(&mut self, slot: &Arc<Slot>, generation: Generation, started: u64) -> Effects {
        let Some(entry) = self.owner(slot).filter(|entry| entry.access.generation == generation) else {
            return Effects::default();
        };
        let before = entry.cooldowns.len();
        entry
            .cooldowns
            .retain(|cooldown| !matches!(cooldown.cause, Kind::Throttled | Kind::Network) || cooldown.since > started);
        let lifted = entry.cooldowns.len() < before;
        let was_resting = self.rotation.rests_until(slot.place).is_some();
        if lifted {
            self.reschedule(slot.place, false);
        }
        let recovered = was_resting && self.rotation.is_queued(slot.place);
        Effects { recovered: if recovered { vec![slot.clone()] } else { Vec::new() }, ..Effects::default() }
    }

    /// Lets those whose rest is over join the queue.
    pub(crate) fn join(&mut self, now: Instant) -> Effects {
        let mut effects = Effects::default();
        let entries = &mut self.entries;
        self.rotation.join(now, |place| {
            if let Some(Some(entry)) = entries.get_mut(place as usize) {
                entry.cooldowns.clear();
                entry.access.slot.troubled.store(false, Relaxed);
                effects.recovered.push(entry.access.slot.clone());
            }
        });
        effects
    }

    /// How long until the first credential recovers, if one will by itself.
    pub(crate) fn recovery_after(&self, now: Instant) -> Option<Duration> {
        self.rotation.due().map(|due| due.saturating_duration_since(now))
    }

    /// Puts a credential where its cooldowns say.
    fn reschedule(&mut self, place: u32, was_out: bool) {
        let Some(entry) = self.entry(place) else { return };
        let until = entry.cooldowns.iter().map(|cooldown| cooldown.until).max();
        entry.access.slot.troubled.store(until.is_some(), Relaxed);
        if entry.out.is_some() {
            return;
        }
        match until {
            Some(until) => self.rotation.rest(place, until),
            None if was_out || !self.rotation.is_queued(place) => self.rotation.to_back(place),
            None => {}
        }
    }
}
