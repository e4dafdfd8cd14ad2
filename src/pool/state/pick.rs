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
    /// A resting one, to see whether it works again.
    Probe(u32, ProbeTarget),
    /// None, until one recovers by itself after this long; `None` if none will.
    Cooling(Option<Duration>),
    /// The pin names no credential of the pool.
    Unknown,
}

impl State {
    /// Picks without marking anything. The rests that are over have [joined](State::join) before.
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
        // Each place is in the queue once, so this looks at most at one more than were tried.
        let ready = self.ready(ask.model).find(|place| self.is_untried(*place, ask));
        ready.map_or_else(|| self.cooling(now, ask, None), Pick::Ready)
    }

    /// Nothing is ready: either one request may see whether a resting one works already, or none goes out.
    fn cooling(&mut self, now: Instant, ask: &Ask<'_>, pinned: Option<u32>) -> Pick {
        let first = match pinned {
            Some(place) => self.cools_until(place, ask.model).map(|until| (until, place)),
            None => self.first_recovery(ask.model),
        };
        let Some((until, place)) = first else { return Pick::Cooling(None) };
        // While another one is ready, however often it was tried, a resting one is left alone.
        let none_ready = pinned.is_some() || self.ready(ask.model).next().is_none();
        let probe =
            none_ready.then(|| self.due_probe(now, ask, pinned).or_else(|| self.probe(place, now, ask))).flatten();
        match probe {
            Some((place, probe)) => Pick::Probe(place, probe),
            None => Pick::Cooling(Some(until.saturating_duration_since(now))),
        }
    }
}
