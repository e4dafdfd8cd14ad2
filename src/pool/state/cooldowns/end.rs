//! The transitions that end a cooldown before its time: by a success, by news of a quota, by a person.

use std::sync::Arc;
use std::time::Instant;

use super::{Cooldowns, RunningCooldown};
use crate::pool::state::stored::outbox::NotedStep;
use crate::pool::state::{AttemptRef, Effects, State};
use crate::verdict::{Kind, Scope, Verdict};

impl State {
    /// Ends the cooldowns that a success contradicts: those for throttles, used-up quotas, unpaid bills and broken
    /// connections that began before its attempt, of the whole credential and of the same model.
    pub(in crate::pool) fn end_cooldowns(&mut self, attempt: AttemptRef<'_>) -> Effects {
        let started = attempt.started;
        let mut effects = self.end_whole(attempt, |cooldowns| cooldowns.end_contradicted(started));
        effects.recovered.extend(self.end_model(attempt, |cooldowns| cooldowns.end_contradicted(started)).recovered);
        self.end_faults(attempt.slot);
        self.note_success(attempt);
        effects
    }

    /// Applies what an answer says about a quota. A quota with room ends the quota cooldown of the same scope that began
    /// before the attempt; a quota without room postpones the next probe. `scope` is [`Scope::Model`] or the whole
    /// credential.
    pub(in crate::pool) fn quota_seen(
        &mut self,
        attempt: AttemptRef<'_>,
        scope: Scope,
        has_room: bool,
        now: Instant,
        jitter: f64,
    ) -> Effects {
        let ends =
            |cooldown: &RunningCooldown| cooldown.cause == Kind::QuotaExhausted && cooldown.since <= attempt.started;
        let news = |cooldowns: &mut Cooldowns| {
            if has_room {
                return cooldowns.retain(|cooldown| !ends(cooldown));
            }
            if let Some(probe_plan) = cooldowns.probe_plan_mut() {
                probe_plan.put_off(now, jitter);
            }
            false
        };
        match scope {
            Scope::Model => self.end_model(attempt, news),
            Scope::Credential | Scope::Generation => self.end_whole(attempt, news),
            Scope::Request | Scope::Provider | Scope::Network => Effects::default(),
        }
    }

    /// Ends the cooldowns of a scope, for a person. [`Scope::Credential`] ends everything that keeps the credential from use.
    pub(in crate::pool) fn clear(&mut self, place: u32, scope: Scope) {
        let all = scope == Scope::Credential;
        if all || scope == Scope::Model {
            self.forget_models(place, |_| true);
        }
        let Self { entries, outbox, .. } = self;
        let Some(Some(entry)) = entries.get_mut(place as usize) else { return };
        let (id, generation) = (&entry.credential.id, entry.access.generation);
        let ended = entry.cooldowns.retain(|cooldown| {
            let stays = !all && Verdict::new(cooldown.cause).scope() != scope;
            if !stays {
                outbox.note(id, generation, || NotedStep::Ended(cooldown.cause, None));
            }
            stays
        });
        if all {
            entry.refreshing.end_pause();
            outbox.note(id, generation, || NotedStep::Cleared);
        }
        let was_out = all && entry.end_out();
        if ended || was_out {
            self.reschedule(place, was_out);
        }
    }

    /// Ends the cooldown of a credential for one model, for a person. True if there was one.
    pub(in crate::pool) fn clear_model(&mut self, place: u32, model: &str) -> bool {
        let was_cooling = self.models.until(place, model).is_some();
        self.forget_models(place, |other| other == model);
        was_cooling
    }

    /// Ends the cooldowns of some models of a credential.
    pub(in crate::pool::state) fn forget_models(&mut self, place: u32, which: impl Fn(&str) -> bool) {
        let Some(entry) = self.entry_mut(place) else { return };
        let gone: Vec<_> = entry.models.extract_if(.., |model| which(model)).collect();
        entry.set_troubled();
        for model in gone {
            self.change_model(place, &model, |cooldowns| {
                cooldowns.clear();
                true
            });
        }
    }

    fn end_whole(&mut self, attempt: AttemptRef<'_>, end: impl FnOnce(&mut Cooldowns) -> bool) -> Effects {
        let is_told = self.outbox.is_attended();
        let Some(entry) = self.owner(attempt.slot).filter(|entry| entry.access.generation == attempt.generation) else {
            return Effects::default();
        };
        let before: Vec<_> = if is_told { entry.cooldowns.causes().collect() } else { Vec::new() };
        let ended = end(&mut entry.cooldowns);
        if ended {
            self.note_ended(attempt.slot.place, &before, None);
        }
        let was_cooling = self.rotation.cools_until(attempt.slot.place).is_some();
        if ended {
            self.reschedule(attempt.slot.place, false);
        }
        let recovered = was_cooling && self.rotation.is_queued(attempt.slot.place);
        let recovered = if recovered { vec![(attempt.slot.clone(), None)] } else { Vec::new() };
        Effects { recovered, ..Effects::default() }
    }

    fn end_model(&mut self, attempt: AttemptRef<'_>, end: impl FnOnce(&mut Cooldowns) -> bool) -> Effects {
        let place = attempt.slot.place;
        let Some(entry) = self.owner(attempt.slot).filter(|entry| entry.access.generation == attempt.generation) else {
            return Effects::default();
        };
        let known = attempt.model.and_then(|model| entry.models.iter().find(|known| ***known == *model));
        let Some(model) = known.cloned() else { return Effects::default() };
        if !self.change_model(place, &model, end) {
            return Effects::default();
        }
        Effects { recovered: vec![(attempt.slot.clone(), Some(model))], ..Effects::default() }
    }

    /// Changes the cooldowns of a credential for one model. True if it does not cool for the model any more.
    pub(in crate::pool::state) fn change_model(
        &mut self,
        place: u32,
        model: &Arc<str>,
        end: impl FnOnce(&mut Cooldowns) -> bool,
    ) -> bool {
        let before: Vec<_> = match self.models.schedule(model).and_then(|schedule| schedule.cooldowns(place)) {
            Some(cooldowns) if self.outbox.is_attended() => cooldowns.causes().collect(),
            _ => Vec::new(),
        };
        let Some((ended, still_cools)) = self.models.change(place, model, end) else { return false };
        if ended {
            self.note_ended(place, &before, Some(model));
        }
        if !ended || still_cools {
            return false;
        }
        if let Some(entry) = self.entry_mut(place) {
            entry.models.retain(|other| other != model);
            entry.set_troubled();
        }
        true
    }

    /// Notes for the store which of the causes in `before` have no cooldown any more.
    fn note_ended(&mut self, place: u32, before: &[Kind], model: Option<&Arc<str>>) {
        let Self { entries, outbox, models, .. } = self;
        if before.is_empty() {
            return;
        }
        let Some(Some(entry)) = entries.get(place as usize) else { return };
        let left: Vec<_> = match model {
            None => entry.cooldowns.causes().collect(),
            Some(model) => models
                .schedule(model)
                .and_then(|schedule| schedule.cooldowns(place))
                .into_iter()
                .flat_map(Cooldowns::causes)
                .collect(),
        };
        for cause in before.iter().filter(|cause| !left.contains(cause)) {
            outbox.note(&entry.credential.id, entry.access.generation, || NotedStep::Ended(*cause, model.cloned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credentials::{Credential, Generation, Secret};
    use crate::pool::prepared::{Access, Lifetime, Slot};
    use crate::pool::state::Arrival;
    use crate::pool::state::cooldowns::begin::NewCooldown;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    struct World {
        state: State,
        slot: Arc<Slot>,
        now: Instant,
    }

    impl World {
        /// One credential, whose quota is used up as a whole and for the model `m`.
        fn new() -> Self {
            let credential = Credential::new("a", Secret::new("key"));
            let slot = Arc::new(Slot::new(&credential, 0));
            let access = Access::prepare(&credential, slot.clone(), Generation::FIRST, Lifetime::default()).unwrap();
            let (mut state, now) = (State::default(), crate::clock::now());
            let admission = state.admit(&credential, Arrival::Given { follows: false });
            state.insert(credential, Arc::new(access), admission);
            for model in [None, Some(&"m".into())] {
                let cooldown =
                    NewCooldown { cause: Kind::QuotaExhausted, model, length: DAY, guessed: false, jitter: || 0.0 };
                let _ = state.cool(0, cooldown, now);
            }
            Self { state, slot, now }
        }

        fn also_limited(mut self) -> Self {
            let cooldown =
                NewCooldown { cause: Kind::Throttled, model: None, length: DAY, guessed: false, jitter: || 0.0 };
            let _ = self.state.cool(0, cooldown, self.now);
            self
        }

        /// What recovered by the news of an attempt that began at this count of changes.
        fn seen(&mut self, scope: Scope, model: Option<&str>, started: u64, has_room: bool) -> Vec<Option<Arc<str>>> {
            let attempt = AttemptRef { slot: &self.slot, generation: Generation::FIRST, started, model };
            let effects = self.state.quota_seen(attempt, scope, has_room, self.now, 0.0);
            effects.recovered.into_iter().map(|(_, model)| model).collect()
        }

        /// Whether it cools as a whole, and for the model.
        fn cooldowns(&self) -> (bool, bool) {
            (!self.state.rotation.is_queued(0), self.state.models.until(0, "m").is_some())
        }
    }

    #[test]
    fn a_quota_that_has_room_ends_the_cooldown_of_its_own_scope() {
        let mut world = World::new();
        assert_eq!(world.seen(Scope::Model, Some("other"), 9, true), []);
        assert_eq!(world.seen(Scope::Model, None, 9, true), []);
        assert_eq!(world.seen(Scope::Provider, Some("m"), 9, true), []);
        assert_eq!(world.cooldowns(), (true, true));
        assert_eq!(world.seen(Scope::Model, Some("m"), 9, true), [Some("m".into())]);
        assert_eq!(world.cooldowns(), (true, false));
        assert_eq!(world.seen(Scope::Credential, Some("m"), 9, true), [None]);
        assert_eq!(world.cooldowns(), (false, false));
        assert!(!world.slot.troubled.load(std::sync::atomic::Ordering::Relaxed));
    }

    #[test]
    fn older_news_and_those_of_an_older_token_end_nothing() {
        let mut world = World::new();
        assert_eq!(world.seen(Scope::Credential, None, 0, true), []);
        assert_eq!(world.seen(Scope::Model, Some("m"), 1, true), [], "the model's came second");
        let attempt =
            AttemptRef { slot: &world.slot, generation: Generation::FIRST.next(), started: 9, model: Some("m") };
        let effects = world.state.quota_seen(attempt, Scope::Credential, true, world.now, 0.0);
        assert!(effects.is_empty());
        assert_eq!(world.cooldowns(), (true, true));
    }

    #[test]
    fn news_of_a_quota_say_nothing_about_another_cause() {
        let mut world = World::new().also_limited();
        assert_eq!(world.seen(Scope::Credential, None, 9, true), []);
        assert_eq!(world.cooldowns(), (true, true));
        assert_eq!(world.state.entry(0).unwrap().cooldowns.latest().unwrap().cause, Kind::Throttled);
    }

    #[test]
    fn a_quota_that_has_no_room_postpones_the_next_probe() {
        let mut world = World::new();
        let check = |world: &World| world.state.entry(0).unwrap().cooldowns.probe_plan().unwrap().at() - world.now;
        assert_eq!(check(&world), DAY / 8);
        let start = world.now;
        world.now = start + DAY / 16;
        assert_eq!(world.seen(Scope::Credential, None, 9, false), []);
        assert_eq!(check(&world), DAY / 8);
        assert_eq!(world.cooldowns(), (true, true));
    }
}
