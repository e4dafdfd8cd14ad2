//! The order of the credentials: a queue of those that are ready, and a timetable of those that cool.
//!
//! Every operation costs the same whatever the number of credentials, or grows with its logarithm. Time is an argument.

use std::collections::BTreeSet;
use std::time::Instant;

/// How many recovered credentials join the queue at one pick; the others join at later picks. This bounds the work of a
/// pick if a million of them recover at once.
const JOIN_AT_ONCE: usize = 8;

const NONE: u32 = u32::MAX;

/// The queue and the timetable. They hold places, which are numbers that the owner of the credentials gives out.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct Rotation {
    places: Vec<Place>,
    queue: Ends,
    /// The places by their recovery. The turn keeps places with the same time in the order in which they failed.
    cooling: BTreeSet<(Instant, u64, u32)>,
    /// The first recovery, so that a pick has to compare only one time.
    due: Option<Instant>,
    turn: u64,
}

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Not in the rotation.
    #[default]
    Out,
    Queued {
        before: u32,
        after: u32,
        /// The seat: a new number each time that the place is queued, so that a reader can tell whether it has moved.
        seat: u64,
    },
    Cooling {
        until: Instant,
        turn: u64,
    },
}

#[derive(Debug)]
struct Ends {
    front: u32,
    back: u32,
}

impl Default for Ends {
    fn default() -> Self {
        Self { front: NONE, back: NONE }
    }
}

impl Rotation {
    /// Puts `place` at the back of the queue, wherever it was.
    pub(in crate::pool::state) fn move_to_back(&mut self, place: u32) {
        self.take_out(place);
        self.turn += 1;
        let seat = self.turn;
        let Some(slot) = self.slot(place) else { return };
        *slot = Place::Queued { before: NONE, after: NONE, seat };
        let back = std::mem::replace(&mut self.queue.back, place);
        self.link(back, place);
        if back == NONE {
            self.queue.front = place;
        }
    }

    /// Moves `place` to the timetable until then, wherever it was.
    pub(in crate::pool::state) fn cool(&mut self, place: u32, until: Instant) {
        self.take_out(place);
        self.turn += 1;
        let turn = self.turn;
        let Some(slot) = self.slot(place) else { return };
        *slot = Place::Cooling { until, turn };
        self.cooling.insert((until, turn, place));
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
    }

    /// Takes `place` out of the rotation.
    pub(in crate::pool::state) fn take_out(&mut self, place: u32) {
        let Some(slot) = self.places.get_mut(place as usize) else { return };
        match std::mem::take(slot) {
            Place::Out => {}
            Place::Queued { before, after, .. } => {
                self.link(before, after);
                if before == NONE {
                    self.queue.front = after;
                }
                if after == NONE {
                    self.queue.back = before;
                }
            }
            Place::Cooling { until, turn } => {
                self.cooling.remove(&(until, turn, place));
                if self.due == Some(until) {
                    self.due = self.cooling.first().map(|first| first.0);
                }
            }
        }
    }

    /// Moves places whose cooldown is over to the back of the queue, a few at a time, and reports each to `joined`.
    #[inline]
    pub(in crate::pool::state) fn join(&mut self, now: Instant, mut joined: impl FnMut(u32)) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        for _ in 0..JOIN_AT_ONCE {
            let Some(&(until, _, place)) = self.cooling.first() else { break };
            if until > now {
                break;
            }
            self.move_to_back(place);
            joined(place);
        }
    }

    /// The front of the queue.
    #[inline]
    pub(in crate::pool::state) fn first(&self) -> Option<u32> {
        (self.queue.front != NONE).then_some(self.queue.front)
    }

    /// The queue, front first.
    pub(in crate::pool::state) fn queued(&self) -> impl Iterator<Item = u32> {
        self.queued_from(self.first())
    }

    /// The queue from this place on.
    pub(in crate::pool::state) fn queued_from(&self, place: Option<u32>) -> impl Iterator<Item = u32> {
        std::iter::successors(place, |&place| match self.places.get(place as usize) {
            Some(Place::Queued { after, .. }) if *after != NONE => Some(*after),
            _ => None,
        })
    }

    /// The cooling places, by their recovery.
    pub(in crate::pool::state) fn cooling(&self) -> impl Iterator<Item = (Instant, u32)> {
        self.cooling.iter().map(|&(until, _, place)| (until, place))
    }

    /// The first recovery in the timetable.
    #[inline]
    pub(in crate::pool::state) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether `place` is in the queue.
    pub(in crate::pool::state) fn is_queued(&self, place: u32) -> bool {
        matches!(self.places.get(place as usize), Some(Place::Queued { .. }))
    }

    /// The seat of `place` in the queue: another number each time that it is put there.
    pub(in crate::pool::state) fn seat(&self, place: u32) -> Option<u64> {
        match self.places.get(place as usize) {
            Some(Place::Queued { seat, .. }) => Some(*seat),
            _ => None,
        }
    }

    /// The end of the cooldown of `place`, if it cools.
    pub(in crate::pool::state) fn cools_until(&self, place: u32) -> Option<Instant> {
        match self.places.get(place as usize) {
            Some(Place::Cooling { until, .. }) => Some(*until),
            _ => None,
        }
    }

    fn link(&mut self, first: u32, second: u32) {
        if let Some(Place::Queued { after, .. }) = self.places.get_mut(first as usize) {
            *after = second;
        }
        if let Some(Place::Queued { before, .. }) = self.places.get_mut(second as usize) {
            *before = first;
        }
    }

    fn slot(&mut self, place: u32) -> Option<&mut Place> {
        if place == NONE {
            return None;
        }
        let at = place as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, Place::Out);
        }
        self.places.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn order(rotation: &Rotation) -> Vec<u32> {
        rotation.queued().chain(rotation.cooling().map(|(_, place)| place)).collect()
    }

    #[test]
    fn those_that_cool_come_back_in_the_order_of_recovery() {
        let start = crate::clock::now();
        let mut rotation = Rotation::default();
        for place in 0..4 {
            rotation.move_to_back(place);
        }
        rotation.cool(0, start + Duration::from_secs(30));
        rotation.cool(1, start + Duration::from_secs(10));
        assert_eq!(order(&rotation), [2, 3, 1, 0]);
        rotation.join(start + Duration::from_secs(10), |_| ());
        assert_eq!(rotation.queued().collect::<Vec<_>>(), [2, 3, 1]);
        rotation.join(start + Duration::from_secs(60), |_| ());
        assert_eq!(rotation.queued().collect::<Vec<_>>(), [2, 3, 1, 0]);
    }

    #[test]
    fn a_few_join_at_a_time() {
        let start = crate::clock::now();
        let mut rotation = Rotation::default();
        for place in 0..1_000 {
            rotation.cool(place, start);
        }
        let mut joined = 0;
        rotation.join(start, |_| joined += 1);
        assert_eq!(joined, JOIN_AT_ONCE);
        assert_eq!(rotation.first(), Some(0));
        for _ in 0..1_000 {
            rotation.join(start, |_| ());
        }
        assert_eq!(rotation.queued().count(), 1_000);
    }

    /// A model of the rotation that follows the same rules in a slow and simple way.
    #[derive(Default)]
    struct Model {
        queue: Vec<u32>,
        cooling: Vec<(u64, u32)>,
    }

    impl Model {
        fn take_out(&mut self, place: u32) {
            self.queue.retain(|other| *other != place);
            self.cooling.retain(|other| other.1 != place);
        }

        fn join(&mut self, now: u64) {
            for _ in 0..JOIN_AT_ONCE {
                let Some(at) = (0..self.cooling.len()).min_by_key(|at| self.cooling[*at].0) else { return };
                if self.cooling[at].0 > now {
                    return;
                }
                let (_, place) = self.cooling.remove(at);
                self.queue.push(place);
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_model_that_searches(steps in prop::collection::vec((0_u8..4, 0_u32..12, 0_u64..20), 0..200)) {
            let start = crate::clock::now();
            let (mut rotation, mut model, mut now) = (Rotation::default(), Model::default(), 0);
            for (step, place, seconds) in steps {
                match step {
                    0 => {
                        rotation.move_to_back(place);
                        model.take_out(place);
                        model.queue.push(place);
                    }
                    1 => {
                        rotation.cool(place, start + Duration::from_secs(now + seconds));
                        model.take_out(place);
                        model.cooling.push((now + seconds, place));
                    }
                    2 => {
                        rotation.take_out(place);
                        model.take_out(place);
                    }
                    _ => {
                        now += seconds;
                        rotation.join(start + Duration::from_secs(now), |_| ());
                        model.join(now);
                    }
                }
                prop_assert_eq!(rotation.queued().collect::<Vec<_>>(), model.queue.clone());
                prop_assert_eq!(rotation.cooling().count(), model.cooling.len());
                prop_assert_eq!(
                    rotation.due(),
                    model.cooling.iter().map(|cooldown| start + Duration::from_secs(cooldown.0)).min()
                );
            }
        }
    }
}
