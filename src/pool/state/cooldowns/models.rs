//! The cooldowns of single models. A credential that cools for one model stays in the queue for the others.
//!
//! Requests read none of this while no model cools. Otherwise a request reads one schedule: the one of its model.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::probe::Probing;
use super::{Cooldowns, RunningCooldown};
use crate::pool::state::last_answer::Remembered;
use crate::pool::state::order::rotation::Rotation;

/// How many models of one credential can cool at once. Beyond that, the cooldown that ends first becomes one of the
/// whole credential: then too much cools for a short time, but nothing is sent earlier than allowed.
pub(super) const MODELS: usize = 64;

/// How many cooldowns of one model end at one pick. This bounds the work if many end at once.
const END_AT_ONCE: usize = 8;

/// One schedule for each model that some credential cools for.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct ModelCooldowns {
    schedules: HashMap<Arc<str>, ModelSchedule>,
    /// The earliest end in all schedules, so that a pick compares one time.
    due: Option<Instant>,
}

/// Which credentials cool for one model, and until when.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct ModelSchedule {
    cooldowns: HashMap<u32, Scheduled>,
    /// The places by their recovery. The turn keeps places with the same time in the order in which they failed.
    timetable: BTreeSet<(Instant, u64, u32)>,
    turn: u64,
    /// Where a pick begins: a place in the queue, and its seat. Every credential before it cools for this model.
    from: Option<(u32, u64)>,
    /// Whether a request is out as a probe for this model.
    pub(in crate::pool::state) probing: Probing,
    /// The last failed answer after which no credential was ready for this model.
    pub(in crate::pool::state) remembered: Option<Arc<Remembered>>,
}

/// The cooldowns of one credential in a schedule.
#[derive(Debug, Default)]
struct Scheduled {
    cooldowns: Cooldowns,
    /// Its rank among those that end at the same time.
    turn: u64,
}

impl ModelCooldowns {
    #[inline]
    pub(in crate::pool::state) fn is_empty(&self) -> bool {
        self.schedules.is_empty()
    }

    pub(in crate::pool::state) fn schedule(&self, model: &str) -> Option<&ModelSchedule> {
        self.schedules.get(model)
    }

    pub(in crate::pool::state) fn schedule_mut(&mut self, model: &str) -> Option<&mut ModelSchedule> {
        self.schedules.get_mut(model)
    }

    /// The end of a credential's cooldown for a model, if it cools for it.
    pub(in crate::pool::state) fn until(&self, place: u32, model: &str) -> Option<Instant> {
        self.schedule(model)?.until(place)
    }

    /// The earliest end in all schedules.
    #[inline]
    pub(in crate::pool::state) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Begins a cooldown of a credential for one model.
    pub(in crate::pool::state) fn cool(&mut self, place: u32, model: &Arc<str>, cooldown: RunningCooldown) {
        self.schedules.entry(model.clone()).or_default().change(place, |cooldowns| cooldowns.add(cooldown));
        self.set_due();
    }

    /// Changes the cooldowns of a credential for one model. True if it still cools for the model.
    pub(in crate::pool::state) fn change<R>(
        &mut self,
        place: u32,
        model: &str,
        change: impl FnOnce(&mut Cooldowns) -> R,
    ) -> Option<(R, bool)> {
        let schedule = self.schedules.get_mut(model)?;
        if !schedule.cooldowns.contains_key(&place) {
            return None;
        }
        let result = schedule.change(place, change);
        let still_cools = schedule.cooldowns.contains_key(&place);
        if schedule.cooldowns.is_empty() {
            self.schedules.remove(model);
        }
        self.set_due();
        Some((result, still_cools))
    }

    /// Ends the cooldowns that are over, a few at a time, and reports each to `ended`.
    pub(in crate::pool::state) fn end(&mut self, now: Instant, mut ended: impl FnMut(u32, &Arc<str>)) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.schedules.retain(|model, schedule| {
            for _ in 0..END_AT_ONCE {
                let Some(&(until, _, place)) = schedule.timetable.first() else { break };
                if until > now {
                    break;
                }
                schedule.change(place, Cooldowns::clear);
                ended(place, model);
            }
            !schedule.cooldowns.is_empty()
        });
        self.set_due();
    }

    fn set_due(&mut self) {
        self.due = self.schedules.values().filter_map(|schedule| schedule.timetable.first()).map(|first| first.0).min();
    }
}

impl ModelSchedule {
    pub(in crate::pool::state) fn until(&self, place: u32) -> Option<Instant> {
        self.cooldowns(place)?.until()
    }

    pub(in crate::pool::state) fn cooldowns(&self, place: u32) -> Option<&Cooldowns> {
        self.cooldowns.get(&place).map(|place| &place.cooldowns)
    }

    /// The credentials that cool for this model, by their recovery.
    pub(in crate::pool::state) fn cooling(&self) -> impl Iterator<Item = (Instant, u32)> {
        self.timetable.iter().map(|&(until, _, place)| (until, place))
    }

    /// Whether a credential cools for this model.
    pub(in crate::pool::state) fn holds(&self, place: u32) -> bool {
        self.cooldowns.contains_key(&place)
    }

    /// Moves the remembered beginning to the first place in the queue that does not cool for this model.
    pub(in crate::pool::state) fn advance(&mut self, rotation: &Rotation) {
        let mut walk = rotation.queued_from(self.first(rotation));
        let mut last = None;
        let free = walk.find(|place| {
            last = Some(*place);
            !self.holds(*place)
        });
        self.from = free.or(last).and_then(|place| Some((place, rotation.seat(place)?)));
    }

    /// The place in the queue at which a pick begins. The remembered place holds unless it has itself moved, because no
    /// place is inserted before it.
    pub(in crate::pool::state) fn first(&self, rotation: &Rotation) -> Option<u32> {
        let known = self.from.filter(|(place, seat)| rotation.seat(*place) == Some(*seat));
        known.map(|known| known.0).or(rotation.first())
    }

    fn change<R>(&mut self, place: u32, change: impl FnOnce(&mut Cooldowns) -> R) -> R {
        let known = self.cooldowns.entry(place).or_default();
        let before = known.cooldowns.until();
        let result = change(&mut known.cooldowns);
        let after = known.cooldowns.until();
        if before != after {
            if let Some(before) = before {
                self.timetable.remove(&(before, known.turn, place));
            }
            if let Some(after) = after {
                self.turn += 1;
                known.turn = self.turn;
                self.timetable.insert((after, known.turn, place));
            }
        }
        if after.is_none() {
            self.cooldowns.remove(&place);
            // It may stand before the remembered place, and is ready now.
            self.from = None;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::verdict::Kind;

    fn cooldown(now: Instant, seconds: u64) -> RunningCooldown {
        let until = now + Duration::from_secs(seconds);
        RunningCooldown { cause: Kind::Throttled, began: now, until, since: 1, guessed: false, probe_plan: None }
    }

    #[test]
    fn a_model_that_no_credential_cools_for_leaves_nothing_behind() {
        let now = crate::clock::now();
        let mut models = ModelCooldowns::default();
        let model: Arc<str> = "m".into();
        models.cool(1, &model, cooldown(now, 10));
        models.cool(2, &model, cooldown(now, 5));
        assert_eq!(models.due(), Some(now + Duration::from_secs(5)));
        let mut ended = Vec::new();
        models.end(now + Duration::from_secs(5), |place, _| ended.push(place));
        assert_eq!((ended, models.until(2, "m")), (vec![2], None));
        assert_eq!(models.change(1, "m", Cooldowns::clear), Some(((), false)));
        assert!(models.is_empty() && models.due().is_none());
        assert_eq!(models.change(1, "m", Cooldowns::clear), None);
    }

    #[test]
    fn a_thousand_that_end_at_once_end_a_few_at_a_time() {
        let now = crate::clock::now();
        let mut models = ModelCooldowns::default();
        let model: Arc<str> = "m".into();
        (0..1_000).for_each(|place| models.cool(place, &model, cooldown(now, 1)));
        let mut ended = 0;
        models.end(now + Duration::from_secs(1), |_, _| ended += 1);
        assert_eq!(ended, END_AT_ONCE);
    }

    proptest! {
        /// A pick from the remembered place finds the same ready credentials as a search from the front.
        #[test]
        fn it_agrees_with_a_search(steps in prop::collection::vec((0_u8..6, 0_u32..6, 1_u64..20), 0..120)) {
            let start = crate::clock::now();
            let at = |seconds| start + Duration::from_secs(seconds);
            let (mut rotation, mut models, mut now) = (Rotation::default(), ModelCooldowns::default(), 0);
            let model: Arc<str> = "m".into();
            let mut naive: HashMap<u32, u64> = HashMap::new();
            for (step, place, seconds) in steps {
                match step {
                    0 => rotation.move_to_back(place),
                    1 => rotation.cool(place, at(now + seconds)),
                    2 => rotation.take_out(place),
                    3 => {
                        models.cool(place, &model, cooldown(at(now), seconds));
                        let until = naive.entry(place).or_default();
                        *until = (*until).max(now + seconds);
                    }
                    4 => {
                        models.change(place, &model, Cooldowns::clear);
                        naive.remove(&place);
                    }
                    _ => {
                        now += seconds;
                        rotation.join(at(now), |_| ());
                        models.end(at(now), |_, _| ());
                        naive.retain(|_, until| *until > now);
                    }
                }
                let expected: Vec<_> = rotation.queued().filter(|place| !naive.contains_key(place)).collect();
                let found: Vec<_> = match models.schedule_mut(&model) {
                    Some(schedule) => {
                        schedule.advance(&rotation);
                        let queue = rotation.queued_from(schedule.first(&rotation));
                        queue.filter(|place| !schedule.holds(*place)).collect()
                    }
                    None => rotation.queued().collect(),
                };
                prop_assert_eq!(found, expected);
                prop_assert_eq!(models.due(), naive.values().min().map(|until| at(*until)));
            }
        }
    }
}
