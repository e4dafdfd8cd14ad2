//! Picks the credential for the next attempt.

use std::time::{Duration, Instant};

use crate::config::WhenAllCooling;
use crate::credentials::CredentialId;
use crate::pool::state::{ProbeTarget, RequestView, State};

/// The result of a pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pool) enum Pick {
    /// The credential at this place.
    Ready(u32),
    /// The cooling credential at this place, for a probe.
    Probe(u32, ProbeTarget),
    /// No credential. The first one recovers after this time; `None` if none will by itself.
    Cooling(Option<Duration>),
    /// The pin names no credential of the pool.
    Unknown,
}

impl State {
    /// Picks a credential for the next attempt, without marking anything. Credentials whose cooldown is over have
    /// [joined](State::join) the queue before. `mode` says what is done while every credential cools.
    pub(in crate::pool) fn pick(&mut self, now: Instant, request: &RequestView<'_>, mode: WhenAllCooling) -> Pick {
        let place_of = |id: &CredentialId| self.place_of(id.as_str());
        if let Some(pin) = request.pin {
            let Some(place) = place_of(pin) else { return Pick::Unknown };
            return match self.is_ready(place, request.model) {
                true if request.same.is_some() || !(request.tried)(pin) => Pick::Ready(place),
                true => Pick::Cooling(None),
                false => self.cooling(now, request, mode, Some(place)),
            };
        }
        if let Some(place) = request.same.and_then(place_of).filter(|place| self.is_ready(*place, request.model)) {
            return Pick::Ready(place);
        }
        if let Some(schedule) = request.model.and_then(|model| self.models.schedule_mut(model)) {
            schedule.advance(&self.rotation);
        }
        // Each place is in the queue once, so this reads at most one place more than were tried.
        let ready = self.ready(request.model).find(|place| self.is_untried(*place, request));
        ready.map_or_else(|| self.cooling(now, request, mode, None), Pick::Ready)
    }

    /// The pick while no credential is ready: a probe, if one is permitted, or the time until the first recovery.
    fn cooling(&mut self, now: Instant, request: &RequestView<'_>, mode: WhenAllCooling, pinned: Option<u32>) -> Pick {
        let first = match pinned {
            Some(place) => self.cools_until(place, request.model).map(|until| (until, place)),
            None => self.first_recovery(request.model),
        };
        let Some((until, place)) = first else { return Pick::Cooling(None) };
        // While another credential is ready, no probe goes out, even if this request has already tried the ready one.
        let none_ready = pinned.is_some() || self.ready(request.model).next().is_none();
        let probe = none_ready
            .then(|| self.due_probe(now, request, mode, pinned).or_else(|| self.probe(place, now, request, mode)))
            .flatten();
        match probe {
            Some((place, probe)) => Pick::Probe(place, probe),
            None => Pick::Cooling(Some(until.saturating_duration_since(now))),
        }
    }
}
