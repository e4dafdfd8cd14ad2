//! Which credential serves the next attempt.

use std::time::{Duration, Instant};

use super::State;
use super::ask::Ask;
use super::probe::ProbeTarget;
use crate::credentials::CredentialId;

/// What the pool offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The credential at this place.
    Ready(u32),
    /// A cooling one, for a probe.
    Probe(u32, ProbeTarget),
    /// None, until one recovers by itself after this long; `None` if none will.
    Cooling(Option<Duration>),
    /// The pin names no credential of the pool.
    Unknown,
}

impl State {
    /// Picks a credential for the next attempt, without marking anything. Credentials whose cooldown is over have
    /// [joined](State::join) the queue before.
    pub(crate) fn pick(&mut self, now: Instant, ask: &Ask<'_>) -> Pick {
        let place_of = |id: &CredentialId| self.place_of(id.as_str());
        if let Some(pin) = ask.pin {
            let Some(place) = place_of(pin) else { return Pick::Unknown };
            return match self.is_ready(place, ask.model) {
                true if ask.same.is_some() || !(ask.tried)(pin) => Pick::Ready(place),
                true => Pick::Cooling(None),
                false => self.cooling(now, ask, Some(place)),
            };
        }
        if let Some(place) = ask.same.and_then(place_of).filter(|place| self.is_ready(*place, ask.model)) {
            return Pick::Ready(place);
        }
        if let Some(book) = ask.model.and_then(|model| self.models.book_mut(model)) {
            book.advance(&self.rotation);
        }
        // Each place is in the queue once, so this reads at most one more than were tried.
        let ready = self.ready(ask.model).find(|place| self.is_untried(*place, ask));
        ready.map_or_else(|| self.cooling(now, ask, None), Pick::Ready)
    }

    /// The pick while no credential is ready: a probe, if one is permitted, or the time until the first recovery.
    fn cooling(&mut self, now: Instant, ask: &Ask<'_>, pinned: Option<u32>) -> Pick {
        let first = match pinned {
            Some(place) => self.cools_until(place, ask.model).map(|until| (until, place)),
            None => self.first_recovery(ask.model),
        };
        let Some((until, place)) = first else { return Pick::Cooling(None) };
        // While another one is ready, no probe goes out, even if this request has tried that one.
        let none_ready = pinned.is_some() || self.ready(ask.model).next().is_none();
        let probe =
            none_ready.then(|| self.due_probe(now, ask, pinned).or_else(|| self.probe(place, now, ask))).flatten();
        match probe {
            Some((place, probe)) => Pick::Probe(place, probe),
            None => Pick::Cooling(Some(until.saturating_duration_since(now))),
        }
    }
}
