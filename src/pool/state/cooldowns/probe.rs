//! Probes: requests that are let through a cooldown to see whether it still holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cooldowns;
use super::probe_plan::ProbePlan;
use crate::config::WhenAllCooling;
use crate::pool::state::{RequestView, State};

/// How long a probe counts at most, so that one that hangs blocks no other.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause before another search for a probe, after one was due and could not go out.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether a request is out as a probe, and since when.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool::state) struct Probing(Option<Instant>);

impl Probing {
    /// Whether a probe is out that still counts.
    fn is_out(self, now: Instant) -> bool {
        self.0.is_some_and(|since| now.saturating_duration_since(since) < PATIENCE)
    }

    fn begin(&mut self, now: Instant) {
        self.0 = Some(now);
    }

    /// Ends the probe that began at `since`. A newer probe goes on.
    fn end(&mut self, since: Instant) {
        self.0.take_if(|latest| *latest == since);
    }
}

/// What a probe is to show. For each target, one probe goes out at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pool) enum ProbeTarget {
    /// Whether any credential works again.
    Any,
    /// Whether any credential works again for this model.
    Model(Arc<str>),
    /// Whether a used-up quota, of the credential or of a model, has room before its stated reset.
    Quota(Option<Arc<str>>),
}

impl State {
    /// A probe of the first credential to recover, `first` or a later one, if `whenAllCooling` permits one.
    pub(in crate::pool::state) fn probe(
        &self,
        first: u32,
        now: Instant,
        request: &RequestView<'_>,
        mode: WhenAllCooling,
    ) -> Option<(u32, ProbeTarget)> {
        let can_tell = |place: &u32| self.is_untried(*place, request) && !self.is_paused(*place, now);
        let later = self.rotation.cooling().map(|(_, place)| place).filter(|_| request.pin.is_none());
        let place = std::iter::once(first).chain(later).find(can_tell)?;
        let may_probe = match mode {
            WhenAllCooling::Probe => true,
            // A time that the provider stated is kept. Our own guess may be probed once half of it has passed.
            WhenAllCooling::Answer => self.permits_probe(place, now, request, mode),
            _ => false,
        };
        if !may_probe {
            return None;
        }
        let of_model = request.model.filter(|_| self.rotation.is_queued(place));
        match of_model.and_then(|model| Some((model, self.models.schedule(model)?))) {
            Some((_, schedule)) if schedule.probing.is_out(now) => None,
            Some((model, _)) => Some((place, ProbeTarget::Model(model.clone()))),
            None => (!self.probing.is_out(now)).then_some((place, ProbeTarget::Any)),
        }
    }

    /// A probe of a used-up quota whose plan is due.
    pub(in crate::pool::state) fn due_probe(
        &mut self,
        now: Instant,
        request: &RequestView<'_>,
        mode: WhenAllCooling,
        pinned: Option<u32>,
    ) -> Option<(u32, ProbeTarget)> {
        if mode == WhenAllCooling::Error || self.next_probe.is_none_or(|next| next > now) {
            return None;
        }
        let found = self.find_due_probe(now, request, mode, pinned);
        let next = self.first_probe();
        // A probe that is due and may not go now is searched for again after a while, and not by every request.
        self.next_probe = if found.is_some() { next } else { next.map(|next| next.max(now + AGAIN)) };
        found
    }

    fn find_due_probe(
        &self,
        now: Instant,
        request: &RequestView<'_>,
        mode: WhenAllCooling,
        pinned: Option<u32>,
    ) -> Option<(u32, ProbeTarget)> {
        let wanted = |place: &u32| pinned.is_none_or(|pinned| pinned == *place) && self.is_untried(*place, request);
        let wanted = |place: &u32| wanted(place) && !self.is_paused(*place, now);
        let due = |place: u32| Some((place, self.probe_of(place, now, request, mode)?));
        let cooling = self.rotation.cooling().map(|(_, place)| place);
        let of_model = request.model.and_then(|model| self.models.schedule(model));
        let for_model = of_model.into_iter().flat_map(|schedule| schedule.cooling()).map(|(_, place)| place);
        let for_model = for_model.filter(|place| self.rotation.is_queued(*place));
        cooling.chain(for_model).filter(wanted).find_map(due)
    }

    /// When the first planned probe may go out.
    fn first_probe(&self) -> Option<Instant> {
        let of_models = |place| {
            let models = self.entry(place).into_iter().flat_map(|entry| &entry.models);
            models.filter_map(move |model| self.models.schedule(model)?.cooldowns(place))
        };
        let whole = self.entries().map(|entry| &entry.cooldowns);
        whole
            .chain(self.entries().flat_map(|entry| of_models(entry.access.slot.place)))
            .filter_map(Cooldowns::next_probe)
            .min()
    }

    /// The probe of a used-up quota that this credential permits now: its plan is due, and every other cooldown permits
    /// it.
    fn probe_of(
        &self,
        place: u32,
        now: Instant,
        request: &RequestView<'_>,
        mode: WhenAllCooling,
    ) -> Option<ProbeTarget> {
        let whole = &self.entry(place)?.cooldowns;
        let for_model = request.model.and_then(|model| Some((model, self.models.schedule(model)?.cooldowns(place)?)));
        let due = |cooldowns: &Cooldowns| cooldowns.probe_plan().is_some_and(|plan| plan.is_due(now));
        let probe = match for_model {
            _ if due(whole) => ProbeTarget::Quota(None),
            Some((model, cooldowns)) if due(cooldowns) => ProbeTarget::Quota(Some(model.clone())),
            _ => return None,
        };
        self.permits_probe(place, now, request, mode).then_some(probe)
    }

    /// Whether the token of a credential is useless and its refresh is paused, so that a probe could not show anything.
    fn is_paused(&self, place: u32, now: Instant) -> bool {
        self.entry(place).is_some_and(|entry| entry.refreshing.is_paused(&entry.access, now))
    }

    /// Whether every cooldown that keeps a credential from this request permits a probe.
    fn permits_probe(&self, place: u32, now: Instant, request: &RequestView<'_>, mode: WhenAllCooling) -> bool {
        let guesses = matches!(mode, WhenAllCooling::Answer | WhenAllCooling::Probe);
        let whole = self.entry(place).is_some_and(|entry| entry.cooldowns.permit_probe(now, guesses));
        let for_model = request.model.and_then(|model| self.models.schedule(model)?.cooldowns(place));
        whole && for_model.is_none_or(|cooldowns| cooldowns.permit_probe(now, guesses))
    }

    /// Notes that a probe goes out.
    pub(in crate::pool) fn begin_probe(&mut self, place: u32, probe: &ProbeTarget, now: Instant, jitter: f64) {
        match probe {
            ProbeTarget::Any => self.probing.begin(now),
            ProbeTarget::Model(model) => {
                if let Some(schedule) = self.models.schedule_mut(model) {
                    schedule.probing.begin(now);
                }
            }
            ProbeTarget::Quota(model) => {
                self.probe_plan(place, model.as_ref(), |probe_plan| probe_plan.begin(now, jitter));
            }
        }
    }

    /// Notes that the probe that began at `since` is over, however it ended.
    pub(in crate::pool) fn end_probe(&mut self, probe: &ProbeTarget, since: Instant) {
        match probe {
            ProbeTarget::Any => self.probing.end(since),
            ProbeTarget::Model(model) => {
                if let Some(schedule) = self.models.schedule_mut(model) {
                    schedule.probing.end(since);
                }
            }
            // The plan says when the next one goes out, however this one ended.
            ProbeTarget::Quota(_) => {}
        }
    }

    /// Notes that a planned probe may be due at this time.
    pub(super) fn expect_probe(&mut self, at: Option<Instant>) {
        self.next_probe = [self.next_probe, at].into_iter().flatten().min();
    }

    fn probe_plan(&mut self, place: u32, model: Option<&Arc<str>>, change: impl FnOnce(&mut ProbePlan)) {
        let change = |cooldowns: &mut Cooldowns| {
            let probe_plan = cooldowns.probe_plan_mut()?;
            change(probe_plan);
            Some(probe_plan.at())
        };
        let at = match model {
            None => self.entry_mut(place).and_then(|entry| change(&mut entry.cooldowns)),
            Some(model) => self.models.change(place, model, change).and_then(|(at, _)| at),
        };
        self.expect_probe(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_counts_for_its_time_and_its_end_leaves_a_newer_one_alone() {
        let start = crate::clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let patience = PATIENCE.as_secs();
        let mut probing = Probing::default();
        assert!(!probing.is_out(start));
        probing.begin(start);
        for (now, is_out) in [(0, true), (patience - 1, true), (patience, false), (1_000 * patience, false)] {
            assert_eq!(probing.is_out(at(now)), is_out, "after {now} s");
        }
        probing.begin(at(patience));
        probing.end(start);
        assert!(probing.is_out(at(patience + 1)), "the first ended late");
        probing.end(at(patience));
        assert!(!probing.is_out(at(patience + 1)));
    }
}
