//! The state of a pool, behind its one lock: plain data, and transitions that take the time as an argument.
//!
//! This room holds every rule about which credential is ready, cools, is probed or is out:
//!
//! | state of a credential | where it stands |
//! |---|---|
//! | ready | in the queue (`order`); its front is active |
//! | cooling, as a whole | in the timetable (`order`), by the end of its cooldowns |
//! | cooling for a model | in the queue, and in the schedule of that model (`cooldowns::models`) |
//! | probed | where it cools; one request is let through (`cooldowns::probe`) |
//! | out | in neither; a person acts (`out`) |
//!
//! The fields of [`State`] and of [`PoolEntry`] are seen in this room alone. All other code holds the lock for a moment, calls
//! a transition or a reading by its name, and releases it. No transition does input or output, reads a clock, starts a task
//! or calls foreign code. Each returns its [`Effects`], which the edge of the pool sends as events after the lock is
//! released; what the store is to learn waits in the outbox (`stored`).
//!
//! It is not one list of credentials with a time each, because a pick must cost the same for two credentials and for a
//! million, a cooldown can concern one model alone, and a late outcome must not touch what began after its attempt. So there
//! is a queue with a timetable, a schedule for each model that cools, and a count of changes.

mod consequence;
mod cooldowns;
mod entry;
mod faults;
mod last_answer;
mod members;
mod order;
mod out;
mod refreshing;
mod removed;
mod request;
mod settle;
mod stored;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::cooldowns::models::ModelCooldowns;
pub(in crate::pool) use self::cooldowns::probe::ProbeTarget;
use self::cooldowns::probe::Probing;
pub(in crate::pool) use self::entry::{CooldownLeft, PoolEntry};
pub(crate) use self::last_answer::{Remembered, invented};
pub(in crate::pool) use self::members::Arrival;
pub(in crate::pool) use self::order::Pick;
use self::order::rotation::Rotation;
pub(crate) use self::refreshing::RefreshOutcome;
pub(in crate::pool) use self::refreshing::begin::BegunRefresh;
pub(in crate::pool) use self::refreshing::end::Published;
pub(in crate::pool) use self::refreshing::{LEASE_PATIENCE, Need, WhyNoToken};
use self::removed::Removed;
pub(in crate::pool) use self::request::AttemptRef;
pub(crate) use self::request::RequestView;
pub(crate) use self::settle::{Outcome, Settled};
pub(in crate::pool) use self::stored::health::Moment;
use self::stored::outbox::Outbox;
use super::prepared::{Access, Slot};
use crate::credentials::{CredentialId, Generation};
use crate::verdict::{Kind, OutReason};

/// All credentials of one pool.
#[derive(Debug, Default)]
pub(in crate::pool) struct State {
    entries: Vec<Option<PoolEntry>>,
    free: Vec<u32>,
    places: HashMap<CredentialId, u32>,
    rotation: Rotation,
    /// The cooldowns of single models.
    models: ModelCooldowns,
    /// The count of changes: it rises with each cooldown, so that a success can tell cooldowns that began before its
    /// attempt.
    changes: u64,
    /// Whether a request is out as a probe of any cooling credential.
    probing: Probing,
    /// A lower bound: no planned probe is due before this time.
    next_probe: Option<Instant>,
    remembered: Option<Arc<Remembered>>,
    is_closed: bool,
    /// Whether a task watches for recoveries.
    is_watched: bool,
    /// The greatest generation that any credential has had.
    newest: Generation,
    /// The changes that are still to be written to the store.
    outbox: Outbox,
    /// Credentials that were removed, while the store or a refresh still has to learn of it.
    removed: HashMap<CredentialId, Removed>,
}

/// The effects of a transition, which the pool sends as events after the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Effects {
    /// The credentials that recovered. The model is set if the cooldown was for one model.
    pub(in crate::pool) recovered: Vec<(Arc<Slot>, Option<Arc<str>>)>,
    pub(in crate::pool) cooled: Option<(Arc<Slot>, Kind, Duration)>,
    pub(in crate::pool) out: Option<(Arc<Slot>, OutReason)>,
    /// Set if the last ready credential is gone: the time until the first one recovers, if one will by itself.
    pub(in crate::pool) ran_dry: Option<Option<Duration>>,
    /// The model that `cooled` and `ran_dry` concern, if they concern one model.
    pub(in crate::pool) model: Option<Arc<str>>,
}

impl Effects {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.recovered.is_empty() && self.cooled.is_none() && self.out.is_none() && self.ran_dry.is_none()
    }
}

impl State {
    pub(in crate::pool) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[inline]
    pub(in crate::pool) fn entry(&self, place: u32) -> Option<&PoolEntry> {
        self.entries.get(place as usize)?.as_ref()
    }

    #[inline]
    fn entry_mut(&mut self, place: u32) -> Option<&mut PoolEntry> {
        self.entries.get_mut(place as usize)?.as_mut()
    }

    /// The entry that `slot` belongs to. `None` if it was removed; another credential may have its place by now.
    fn owner(&mut self, slot: &Arc<Slot>) -> Option<&mut PoolEntry> {
        self.entry_mut(slot.place).filter(|entry| entry.is_of(slot))
    }

    #[inline]
    pub(in crate::pool) fn place_of(&self, id: &str) -> Option<u32> {
        self.places.get(id).copied()
    }

    /// The credential with this id.
    pub(in crate::pool) fn find(&self, id: &str) -> Option<&PoolEntry> {
        self.entry(self.place_of(id)?)
    }

    pub(in crate::pool) fn ids(&self) -> impl Iterator<Item = &CredentialId> {
        self.entries().map(|entry| &entry.credential.id)
    }

    pub(in crate::pool) fn entries(&self) -> impl Iterator<Item = &PoolEntry> {
        self.entries.iter().flatten()
    }

    /// The credentials in the order of use: the ready ones, the cooling ones by their recovery, those that are out.
    pub(in crate::pool) fn in_order(&self) -> impl Iterator<Item = &PoolEntry> {
        let in_rotation = self.rotation.queued().chain(self.rotation.cooling().map(|(_, place)| place));
        in_rotation.filter_map(|place| self.entry(place)).chain(self.entries().filter(|entry| entry.is_out()))
    }

    /// The front of the order, for the fast path. `None` if its token was refused or the pool is closed.
    pub(in crate::pool) fn active(&self) -> Option<&Arc<Access>> {
        let front = self.rotation.first().filter(|_| !self.is_closed);
        let usable = front.and_then(|place| self.entry(place)).filter(|entry| !entry.refreshing.forced);
        usable.map(|entry| &entry.access)
    }

    /// Counts the cooldowns that have begun so far.
    #[inline]
    pub(in crate::pool) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether any credential cools for a single model.
    #[inline]
    pub(in crate::pool) fn has_model_cooldowns(&self) -> bool {
        !self.models.is_empty()
    }

    /// Puts a ready credential at the back of the order.
    pub(in crate::pool) fn move_to_back(&mut self, place: u32) {
        if self.rotation.is_queued(place) {
            self.rotation.move_to_back(place);
        }
    }

    /// Ends the cooldowns that are over. Whole credentials join the queue; single models become ready again.
    pub(in crate::pool) fn join(&mut self, now: Instant) -> Effects {
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

    /// Moves a credential to the place that its cooldowns demand: the timetable or the queue.
    fn reschedule(&mut self, place: u32, was_out: bool) {
        let Some(entry) = self.entry(place) else { return };
        let until = entry.cooldowns.until();
        entry.set_troubled();
        if entry.is_out() {
            return;
        }
        match until {
            Some(until) => self.rotation.cool(place, until),
            None if was_out || !self.rotation.is_queued(place) => self.rotation.move_to_back(place),
            None => {}
        }
    }

    /// When the next cooldown ends, of a whole credential or of a model.
    pub(in crate::pool) fn next_recovery(&self) -> Option<Instant> {
        [self.rotation.due(), self.models.due()].into_iter().flatten().min()
    }

    /// Notes that a task watches for recoveries. `false` if one does already.
    pub(in crate::pool) fn begin_watch(&mut self) -> bool {
        !std::mem::replace(&mut self.is_watched, true)
    }

    /// Notes that no task watches for recoveries any more.
    pub(in crate::pool) fn end_watch(&mut self) {
        self.is_watched = false;
    }

    /// Ends the pool: no request is served any more.
    pub(in crate::pool) fn close(&mut self) {
        self.is_closed = true;
    }

    #[inline]
    pub(in crate::pool) fn is_closed(&self) -> bool {
        self.is_closed
    }
}
