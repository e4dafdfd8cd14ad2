//! Tells which credentials are ready, for a model or for any, and when the next one will be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pool::state::{PoolEntry, State};

impl State {
    /// The places in the queue whose credentials do not cool for this model.
    #[inline]
    pub(in crate::pool) fn ready<'a>(&'a self, model: Option<&Arc<str>>) -> impl Iterator<Item = u32> + 'a {
        let schedule = model.and_then(|model| self.models.schedule(model));
        let from = schedule.map_or(self.rotation.first(), |schedule| schedule.first(&self.rotation));
        self.rotation.queued_from(from).filter(move |place| schedule.is_none_or(|schedule| !schedule.holds(*place)))
    }

    /// The front of the order, or the credential that joins it next where its cooldown is over.
    /// `None` if the pool is closed.
    pub(in crate::pool) fn front(&self, now: Instant) -> Option<&PoolEntry> {
        if self.is_closed() {
            return None;
        }
        let recovered = || self.first_recovery(None).filter(|(until, _)| *until <= now).map(|(_, place)| place);
        self.entry(self.rotation.first().or_else(recovered)?)
    }

    /// Whether a credential is in the queue and does not cool for this model.
    pub(in crate::pool) fn is_ready(&self, place: u32, model: Option<&Arc<str>>) -> bool {
        self.rotation.is_queued(place) && model.is_none_or(|model| self.models.until(place, model).is_none())
    }

    /// When a cooling credential can be used for this model again. `None` if it does not cool, or is out.
    pub(in crate::pool::state) fn cools_until(&self, place: u32, model: Option<&Arc<str>>) -> Option<Instant> {
        let for_model = model.and_then(|model| self.models.until(place, model));
        match self.rotation.cools_until(place) {
            Some(until) => Some(for_model.map_or(until, |end| end.max(until))),
            None => for_model.filter(|_| self.rotation.is_queued(place)),
        }
    }

    /// The cooling credential that recovers first for this model, and when.
    pub(in crate::pool::state) fn first_recovery(&self, model: Option<&Arc<str>>) -> Option<(Instant, u32)> {
        let Some(schedule) = model.and_then(|model| self.models.schedule(model)) else {
            return self.rotation.cooling().next();
        };
        let mut first: Option<(Instant, u32)> = None;
        // The timetable is sorted by end, and a credential is not ready before its cooldown as a whole ends. So after
        // the first end that is later than the best one so far, none can be better.
        for (until, place) in self.rotation.cooling() {
            if first.is_some_and(|first| first.0 <= until) {
                break;
            }
            let until = schedule.until(place).map_or(until, |end| end.max(until));
            if first.is_none_or(|first| until < first.0) {
                first = Some((until, place));
            }
        }
        let for_model = schedule.cooling().find(|(_, place)| self.rotation.is_queued(*place));
        match (first, for_model) {
            (Some(first), Some(for_model)) if for_model.0 < first.0 => Some(for_model),
            (first, for_model) => first.or(for_model),
        }
    }

    /// How long until the first credential recovers for this model, if one will by itself.
    pub(in crate::pool::state) fn recovery_after(&self, model: Option<&Arc<str>>, now: Instant) -> Option<Duration> {
        self.first_recovery(model).map(|(until, _)| until.saturating_duration_since(now))
    }
}
