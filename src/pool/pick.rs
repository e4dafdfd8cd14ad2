//! Which credential serves the next attempt.

use std::time::{Duration, Instant};

use super::state::State;
use crate::account::CredentialId;
use crate::config::WhenAllCooling;

/// What an attempt asks for.
pub(crate) struct Ask<'a> {
    /// The only credential that may serve the request.
    pub(crate) pin: Option<&'a CredentialId>,
    /// The credential of the last attempt, where it is to be used again.
    pub(crate) same: Option<&'a CredentialId>,
    pub(crate) tried: &'a dyn Fn(&CredentialId) -> bool,
    pub(crate) when_all_cooling: WhenAllCooling,
}

/// What the pool offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The credential at this place.
    Ready(u32),
    /// A resting one, to see whether it works again.
    Probe(u32),
    /// None, until one recovers by itself after this long; `None` if none will.
    Cooling(Option<Duration>),
    /// The pin names no credential of the pool.
    Unknown,
}

impl State {
    /// Picks without marking anything. The rests that are over have [joined](State::join) before.
    pub(crate) fn pick(&self, now: Instant, ask: &Ask<'_>) -> Pick {
        let place_of = |id: &CredentialId| self.place_of(id.as_str());
        if let Some(pin) = ask.pin {
            let Some(place) = place_of(pin) else { return Pick::Unknown };
            return match self.rotation.is_queued(place) {
                true if ask.same.is_some() || !(ask.tried)(pin) => Pick::Ready(place),
                true => Pick::Cooling(None),
                false => self.resting(now, ask, Some(place)),
            };
        }
        if let Some(place) = ask.same.and_then(place_of).filter(|place| self.rotation.is_queued(*place)) {
            return Pick::Ready(place);
        }
        // Each place is in the queue once, so this looks at most at one more than were tried.
        let untried = |place: &u32| self.entry(*place).is_some_and(|entry| !(ask.tried)(&entry.credential.id));
        match self.rotation.queued().find(untried) {
            Some(place) => Pick::Ready(place),
            None => self.resting(now, ask, None),
        }
    }

    /// Nothing is ready: either one request may see whether the first to recover works already, or none goes out.
    fn resting(&self, now: Instant, ask: &Ask<'_>, pinned: Option<u32>) -> Pick {
        let first = match pinned {
            Some(place) => self.rotation.rests_until(place).map(|until| (until, place)),
            None => self.rotation.resting().next(),
        };
        let Some((until, place)) = first else { return Pick::Cooling(None) };
        let untried = self.entry(place).is_some_and(|entry| !(ask.tried)(&entry.credential.id));
        let may_probe = match ask.when_all_cooling {
            WhenAllCooling::Probe => true,
            WhenAllCooling::Answer => self.guess_is_half_over(place, now),
            _ => false,
        };
        // While another one is ready, however often it was tried, a resting one is left alone.
        let none_ready = self.rotation.first().is_none() || pinned.is_some();
        if may_probe && untried && none_ready && !self.probing {
            Pick::Probe(place)
        } else {
            Pick::Cooling(Some(until.saturating_duration_since(now)))
        }
    }

    /// A time that the provider stated is kept; one that was our guess may be tried once half of it is over.
    fn guess_is_half_over(&self, place: u32, now: Instant) -> bool {
        let Some(entry) = self.entry(place) else { return false };
        let over = |began: Instant, until: Instant| {
            now.saturating_duration_since(began) >= until.saturating_duration_since(now)
        };
        entry
            .cooldowns
            .iter()
            .filter(|cooldown| cooldown.until > now)
            .all(|cooldown| cooldown.guessed && over(cooldown.began, cooldown.until))
    }
}
