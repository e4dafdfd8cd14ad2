//! The transition that begins a cooldown, of a whole credential or of one model of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::RunningCooldown;
use super::models::MODELS;
use super::probe_plan::ProbePlan;
use crate::pool::state::stored::outbox::NotedStep;
use crate::pool::state::{Effects, State};
use crate::verdict::Kind;

/// A cooldown that is to begin.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool::state) struct NewCooldown<'a> {
    pub(in crate::pool::state) cause: Kind,
    /// The model that cools; `None` if the whole credential does.
    pub(in crate::pool::state) model: Option<&'a Arc<str>>,
    pub(in crate::pool::state) length: Duration,
    /// Whether the end is our guess, because the provider stated no time.
    pub(in crate::pool::state) guessed: bool,
    /// Gives a random number from 0 to 1, if one is needed.
    pub(in crate::pool::state) jitter: fn() -> f64,
}

impl State {
    /// Begins a cooldown, and notes it for the store. If one of the same cause lasts, the later end counts.
    pub(in crate::pool::state) fn cool(&mut self, place: u32, new: NewCooldown<'_>, now: Instant) -> Effects {
        if let Some(Some(entry)) = self.entries.get(place as usize) {
            let until = now.checked_add(new.length).unwrap_or(now);
            let step =
                || NotedStep::Cooled { cause: new.cause, model: new.model.cloned(), until, guessed: new.guessed };
            self.outbox.note(&entry.credential.id, entry.access.generation, step);
        }
        self.begin_cooldown(place, new, now)
    }

    /// Does the same as [`State::cool`] for a change that comes from the store, and so need not be written back.
    pub(in crate::pool::state) fn begin_cooldown(&mut self, place: u32, new: NewCooldown<'_>, now: Instant) -> Effects {
        self.changes += 1;
        let NewCooldown { cause, length, guessed, jitter, .. } = new;
        let until = now.checked_add(length).unwrap_or(now);
        let probe_plan = ProbePlan::plan(cause, length, guessed, now, jitter);
        if let Some(probe_plan) = &probe_plan {
            self.expect_probe(Some(probe_plan.at()));
        }
        let probe_plan = probe_plan.map(Box::new);
        let cooldown = RunningCooldown { cause, began: now, until, since: self.changes, guessed, probe_plan };
        match new.model {
            None => self.cool_whole(place, cooldown, length, now),
            Some(model) => self.cool_model(place, model, cooldown, length, now),
        }
    }

    #[inline]
    fn cool_whole(&mut self, place: u32, cooldown: RunningCooldown, length: Duration, now: Instant) -> Effects {
        let was_ready = self.rotation.is_queued(place);
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let cause = cooldown.cause;
        entry.cooldowns.add(cooldown);
        let slot = entry.access.slot.clone();
        self.reschedule(place, false);
        let dry = was_ready && self.rotation.first().is_none();
        // Of many failures with one cause only the first is reported.
        let cooled = was_ready.then_some((slot, cause, length));
        Effects { cooled, ran_dry: dry.then(|| self.recovery_after(None, now)), ..Effects::default() }
    }

    /// Begins a cooldown for one model. The credential keeps its place in the order, for the other models.
    #[cold]
    fn cool_model(
        &mut self,
        place: u32,
        model: &Arc<str>,
        cooldown: RunningCooldown,
        length: Duration,
        now: Instant,
    ) -> Effects {
        let was_ready = self.is_ready(place, Some(model));
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let slot = entry.access.slot.clone();
        slot.troubled.store(true, Relaxed);
        let known = entry.models.contains(model);
        if !known {
            entry.models.push(model.clone());
        }
        let cause = cooldown.cause;
        self.models.cool(place, model, cooldown);
        if !known {
            self.keep_to_limit(place);
        }
        let dry = was_ready && self.ready(Some(model)).next().is_none();
        let cooled = was_ready.then_some((slot, cause, length));
        let ran_dry = dry.then(|| self.recovery_after(Some(model), now));
        Effects { cooled, ran_dry, model: Some(model.clone()), ..Effects::default() }
    }

    /// Keeps to the limit of cooling models for one credential: the cooldown that ends first becomes one of the whole
    /// credential.
    fn keep_to_limit(&mut self, place: u32) {
        let Some(entry) = self.entry(place).filter(|entry| entry.models.len() > MODELS) else { return };
        let first = entry.models.iter().min_by_key(|model| self.models.until(place, model)).cloned();
        let Some(first) = first else { return };
        let latest = self.models.schedule(&first).and_then(|schedule| schedule.cooldowns(place)?.latest().cloned());
        self.forget_models(place, |model| *model == *first);
        if let (Some(entry), Some(latest)) = (self.entry_mut(place), latest) {
            entry.cooldowns.add(latest);
            self.reschedule(place, false);
        }
    }
}
