//! What a pool knows, behind its one lock: plain data, and transitions that take the time as an argument.
//!
//! This room holds every rule about which credential is ready, cools, is probed or is out. It does no input or output, reads
//! no clock, starts no task and calls no foreign code: a transition returns its `Effects`, and the edge of the pool sends
//! them as events after the lock is released; what the store is to learn it leaves in the `outbox`. It is not one list of
//! credentials with a time each, because a pick must cost the same for two credentials and for a million, a cooldown can
//! concern one model alone, and a late outcome must not touch what began after its attempt. So there is a queue with a
//! timetable (`rotation`), a schedule for each model that cools (`models`), and a count of changes.

pub(crate) mod ask;
pub(crate) mod consequence;
pub(crate) mod cool;
pub(crate) mod cooldown;
pub(crate) mod end_cooldown;
pub(crate) mod faults;
pub(crate) mod last_answer;
pub(crate) mod last_status;
pub(crate) mod models;
pub(crate) mod outbox;
pub(crate) mod pick;
pub(crate) mod probe;
pub(crate) mod probe_plan;
pub(crate) mod ready;
pub(crate) mod refresh_state;
pub(crate) mod removed;
pub(crate) mod rotation;
pub(crate) mod settle;
pub(crate) mod stored;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::prepared::{Access, Slot};
use super::refresh::record_turn::RecordTurn;
use super::state::cooldown::Cooldowns;
use super::state::last_answer::Remembered;
use super::state::models::ModelCooldowns;
use super::state::outbox::{Outbox, Step};
use super::state::probe::Probing;
use super::state::refresh_state::RefreshState;
use super::state::removed::Removed;
use super::state::rotation::Rotation;
use crate::credentials::Generation;
use crate::credentials::{Credential, CredentialId};
use crate::tokens::refresh::across::{Known, is_same};
use crate::verdict::Kind;
use crate::verdict::OutReason;

/// All credentials of one pool.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    places: HashMap<CredentialId, u32>,
    pub(crate) rotation: Rotation,
    /// The cooldowns of single models.
    pub(crate) models: ModelCooldowns,
    /// Counts the cooldowns, so that a success can tell those that began before its attempt.
    pub(crate) changes: u64,
    /// Whether a probe of a cooling credential is out.
    pub(crate) probing: Probing,
    /// No planned probe is due before this time. None need be due then: it is a lower bound.
    pub(crate) next_probe: Option<Instant>,
    pub(crate) remembered: Option<Arc<Remembered>>,
    pub(crate) closed: bool,
    /// Whether a task watches for recoveries.
    pub(crate) watching: bool,
    /// The greatest generation so far.
    pub(crate) newest: Generation,
    /// The changes that are still to be written to the store.
    pub(super) outbox: Outbox,
    /// What was removed, and is not over.
    removed: HashMap<CredentialId, Removed>,
}

/// One credential.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) credential: Credential,
    pub(crate) access: Arc<Access>,
    pub(crate) cooldowns: Cooldowns,
    /// The models that it cools for.
    pub(crate) models: Vec<Arc<str>>,
    pub(crate) out: Option<OutReason>,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<Instant>,
    /// How many attempts in a row ended with a server error or a broken connection.
    pub(super) faults: u32,
    /// The last status in the store is a failure, so the next success is noted there.
    pub(super) is_noted_as_failing: bool,
    pub(crate) refreshing: RefreshState,
    /// How its secret relates to what the store has held.
    pub(super) known: Known,
    pub(super) record_turn: Arc<RecordTurn>,
}

/// The news of a transition. The pool sends them as events, after the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Effects {
    /// The credentials that recovered, each with the model that it cooled for, if it was one model.
    pub(crate) recovered: Vec<(Arc<Slot>, Option<Arc<str>>)>,
    pub(crate) cooled: Option<(Arc<Slot>, Kind, Duration)>,
    pub(crate) out: Option<(Arc<Slot>, OutReason)>,
    /// Set if no credential is ready any more: the time until the first one recovers, if one will.
    pub(crate) ran_dry: Option<Option<Duration>>,
    /// The model that `cooled` and `ran_dry` concern, if they concern one model.
    pub(crate) model: Option<Arc<str>>,
}

impl Effects {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.recovered.is_empty() && self.cooled.is_none() && self.out.is_none() && self.ran_dry.is_none()
    }
}

impl Entry {
    pub(super) fn is_of(&self, slot: &Arc<Slot>) -> bool {
        Arc::ptr_eq(&self.access.slot, slot)
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

    /// The entry that `slot` belongs to. `None` if it was removed; its place may belong to another credential by now.
    pub(crate) fn owner(&mut self, slot: &Arc<Slot>) -> Option<&mut Entry> {
        self.entry_mut(slot.place).filter(|entry| entry.is_of(slot))
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

    /// The credentials in the order of use: the ready ones, the cooling ones by their recovery, those that are out.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let in_rotation = self.rotation.queued().chain(self.rotation.cooling().map(|(_, place)| place));
        in_rotation.filter_map(|place| self.entry(place)).chain(self.entries().filter(|entry| entry.out.is_some()))
    }

    /// The place for the next credential.
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
        let known = Known::given(access.generation);
        self.places.insert(credential.id.clone(), place);
        let entry = Entry {
            credential,
            access,
            cooldowns: Cooldowns::default(),
            models: Vec::new(),
            out: None,
            failures: 0,
            last_failure: None,
            faults: 0,
            is_noted_as_failing: false,
            refreshing: RefreshState::default(),
            known,
            record_turn: Arc::default(),
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

    /// The entry is to be dropped after the lock is released: those who wait for its refresh are woken by that.
    #[must_use]
    pub(crate) fn remove(&mut self, id: &str) -> Option<Entry> {
        let place = self.places.remove(id)?;
        self.forget_models(place, |_| true);
        self.rotation.take_out(place);
        self.free.push(place);
        let entry = self.entries.get_mut(place as usize)?.take()?;
        self.newest = self.newest.max(entry.access.generation);
        Some(entry)
    }

    /// Gives a credential a new secret. Failures that concern the old secret are forgotten; other cooldowns stay.
    pub(crate) fn replace_secret(&mut self, place: u32, credential: Credential, access: Arc<Access>) {
        let Some(entry) = self.entry_mut(place) else { return };
        // A secret that the provider refused stays refused until another one replaces it.
        let forced = entry.refreshing.forced && is_same(&entry.credential.material, &credential.material);
        access.slot.set_label(&credential);
        entry.credential = credential;
        entry.access = access;
        entry.refreshing.settled();
        entry.refreshing.forced = forced;
        let was_out = entry.out.take().is_some();
        entry.cooldowns.retain(|cooldown| !matches!(cooldown.cause, Kind::Unauthorized | Kind::Forbidden));
        self.reschedule(place, was_out);
    }

    /// Gives a credential that keeps its secret another label, header or generation.
    pub(super) fn relabel(&mut self, place: u32, credential: Credential, access: Arc<Access>) {
        let Some(entry) = self.entry_mut(place) else { return };
        access.slot.set_label(&credential);
        entry.credential = credential;
        entry.access = access;
    }

    /// Takes a credential out until a person acts.
    pub(crate) fn take_out(&mut self, place: u32, reason: OutReason, now: Instant) -> Effects {
        if let Some(Some(entry)) = self.entries.get(place as usize) {
            self.outbox.note(&entry.credential.id, entry.access.generation, || Step::Out(reason));
        }
        self.leave(place, reason, now)
    }

    /// The same as [`State::take_out`] for a change that comes from the store, which need not be written back.
    pub(super) fn leave(&mut self, place: u32, reason: OutReason, now: Instant) -> Effects {
        let was_ready = self.rotation.is_queued(place);
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let slot = entry.access.slot.clone();
        entry.out = Some(reason);
        let told = std::mem::replace(&mut entry.refreshing.told, true);
        let news = (!told).then_some((slot, reason));
        self.rotation.take_out(place);
        let dry = was_ready && self.rotation.first().is_none();
        Effects { out: news, ran_dry: dry.then(|| self.recovery_after(None, now)), ..Effects::default() }
    }

    /// Ends the cooldowns that are over: of whole credentials, which join the queue, and of single models.
    pub(crate) fn join(&mut self, now: Instant) -> Effects {
        let mut effects = Effects::default();
        let entries = &mut self.entries;
        self.rotation.join(now, |place| {
            if let Some(Some(entry)) = entries.get_mut(place as usize) {
                entry.cooldowns.clear();
                entry.set_troubled();
                effects.recovered.push((entry.access.slot.clone(), None));
            }
        });
        self.models.end(now, |place, model| {
            if let Some(Some(entry)) = entries.get_mut(place as usize) {
                entry.models.retain(|other| other != model);
                entry.set_troubled();
                effects.recovered.push((entry.access.slot.clone(), Some(model.clone())));
            }
        });
        effects
    }

    /// Keeps the failed answer after which no credential was ready. It is kept for `model` alone while any credential is
    /// ready for other models.
    pub(crate) fn remember(&mut self, answer: Arc<Remembered>, model: Option<&Arc<str>>) {
        let of_model = model.filter(|_| self.rotation.first().is_some());
        match of_model.and_then(|model| self.models.book_mut(model)) {
            Some(book) => book.remembered = Some(answer),
            None => self.remembered = Some(answer),
        }
    }

    pub(crate) fn remembered(&self, model: Option<&Arc<str>>) -> Option<Arc<Remembered>> {
        let of_model = model.and_then(|model| self.models.book(model)?.remembered.as_ref());
        let all_cool = self.rotation.first().is_none();
        let (first, second) =
            if all_cool { (self.remembered.as_ref(), of_model) } else { (of_model, self.remembered.as_ref()) };
        first.or(second).cloned()
    }

    /// Notes that a planned probe may be due at this time.
    pub(crate) fn expect_probe(&mut self, at: Option<Instant>) {
        self.next_probe = [self.next_probe, at].into_iter().flatten().min();
    }

    /// Moves a credential to where its cooldowns put it: the timetable or the queue.
    pub(super) fn reschedule(&mut self, place: u32, was_out: bool) {
        let Some(entry) = self.entry(place) else { return };
        let until = entry.cooldowns.until();
        entry.set_troubled();
        if entry.out.is_some() {
            return;
        }
        match until {
            Some(until) => self.rotation.cool(place, until),
            None if was_out || !self.rotation.is_queued(place) => self.rotation.to_back(place),
            None => {}
        }
    }
}

impl Entry {
    /// Sets whether a success has to take the lock: to end a cooldown, to end a row of faults, or to note it for the store.
    pub(super) fn set_troubled(&self) {
        let troubled =
            !self.cooldowns.is_empty() || !self.models.is_empty() || self.is_noted_as_failing || self.faults > 0;
        self.access.slot.troubled.store(troubled, Relaxed);
    }
}
