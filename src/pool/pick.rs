//! Which credential serves the next attempt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::look::Look;
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
    /// The model that the request asks for; not looked at while no credential rests for a single one.
    pub(crate) model: Option<&'a Arc<str>>,
    pub(crate) when_all_cooling: WhenAllCooling,
}

/// What the pool offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The credential at this place.
    Ready(u32),
    /// A resting one, to see whether it works again.
    Probe(u32, Look),
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
                false => self.resting(now, ask, Some(place)),
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
        ready.map_or_else(|| self.resting(now, ask, None), Pick::Ready)
    }

    /// The queue, without those that rest for this model.
    #[inline]
    pub(crate) fn ready<'a>(&'a self, model: Option<&Arc<str>>) -> impl Iterator<Item = u32> + 'a {
        let book = model.and_then(|model| self.models.book(model));
        let from = book.map_or(self.rotation.first(), |book| book.first(&self.rotation));
        self.rotation.queued_from(from).filter(move |place| book.is_none_or(|book| !book.holds(*place)))
    }

    /// Whether a credential is in the queue, and does not rest for this model.
    pub(crate) fn is_ready(&self, place: u32, model: Option<&Arc<str>>) -> bool {
        self.rotation.is_queued(place) && model.is_none_or(|model| self.models.until(place, model).is_none())
    }

    /// When a credential that rests can be used for this model again.
    pub(crate) fn rests_until(&self, place: u32, model: Option<&Arc<str>>) -> Option<Instant> {
        let for_model = model.and_then(|model| self.models.until(place, model));
        match self.rotation.rests_until(place) {
            Some(until) => Some(for_model.map_or(until, |end| end.max(until))),
            None => for_model.filter(|_| self.rotation.is_queued(place)),
        }
    }

    /// The first of those that rest that can be used for this model again, and when.
    pub(crate) fn first_recovery(&self, model: Option<&Arc<str>>) -> Option<(Instant, u32)> {
        let Some(book) = model.and_then(|model| self.models.book(model)) else {
            return self.rotation.resting().next();
        };
        let mut first: Option<(Instant, u32)> = None;
        // Both come in the order of their ends, and nobody is ready before either: whoever ends later than the first so far
        // cannot be first.
        for (until, place) in self.rotation.resting() {
            if first.is_some_and(|first| first.0 <= until) {
                break;
            }
            let until = book.until(place).map_or(until, |end| end.max(until));
            if first.is_none_or(|first| until < first.0) {
                first = Some((until, place));
            }
        }
        let for_model = book.resting().find(|(_, place)| self.rotation.is_queued(*place));
        match (first, for_model) {
            (Some(first), Some(for_model)) if for_model.0 < first.0 => Some(for_model),
            (first, for_model) => first.or(for_model),
        }
    }

    /// How long until the first credential recovers for this model, if one will by itself.
    pub(crate) fn recovery_after(&self, model: Option<&Arc<str>>, now: Instant) -> Option<Duration> {
        self.first_recovery(model).map(|(until, _)| until.saturating_duration_since(now))
    }

    pub(super) fn is_untried(&self, place: u32, ask: &Ask<'_>) -> bool {
        self.entry(place).is_some_and(|entry| !(ask.tried)(&entry.credential.id))
    }

    /// Nothing is ready: either one request may see whether a resting one works already, or none goes out.
    fn resting(&mut self, now: Instant, ask: &Ask<'_>, pinned: Option<u32>) -> Pick {
        let first = match pinned {
            Some(place) => self.rests_until(place, ask.model).map(|until| (until, place)),
            None => self.first_recovery(ask.model),
        };
        let Some((until, place)) = first else { return Pick::Cooling(None) };
        // While another one is ready, however often it was tried, a resting one is left alone.
        let none_ready = pinned.is_some() || self.ready(ask.model).next().is_none();
        let look =
            none_ready.then(|| self.due_check(now, ask, pinned).or_else(|| self.look(place, now, ask))).flatten();
        match look {
            Some((place, look)) => Pick::Probe(place, look),
            None => Pick::Cooling(Some(until.saturating_duration_since(now))),
        }
    }
}
