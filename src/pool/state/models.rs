//! The cooldowns of single models. A credential that cools for one model stays in the queue for the others.
//!
//! Requests read none of this while no model cools. Otherwise a request reads one book: the one of its model.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::cooldown::{Cooldown, Cooldowns};
use super::last_answer::Remembered;
use super::probe::Probing;
use super::rotation::Rotation;

/// How many models of one credential can cool at once. Beyond that, the cooldown that ends first becomes one of the whole
/// credential: too much cools for a short time, but nothing is sent earlier than allowed.
pub(crate) const MODELS: usize = 64;

/// How many cooldowns of one model end at one pick. It bounds the work where many end at once.
const END_AT_ONCE: usize = 8;

/// One book for each model that some credential cools for.
#[derive(Debug, Default)]
pub(crate) struct ModelCooldowns {
    books: HashMap<Arc<str>, Book>,
    /// The earliest end in all books, so that a pick compares one time.
    due: Option<Instant>,
}

/// Which credentials cool for one model, and until when.
#[derive(Debug, Default)]
pub(crate) struct Book {
    cooldowns: HashMap<u32, Place>,
    /// Ordered by recovery; the turn keeps those that recover together in the order in which they failed.
    timetable: BTreeSet<(Instant, u64, u32)>,
    turn: u64,
    /// A place in the queue and its seat. Every credential before it cools for this model.
    from: Option<(u32, u64)>,
    /// Whether a probe for this model is out.
    pub(crate) probing: Probing,
    /// The last failed answer after which no credential was ready for this model.
    pub(crate) remembered: Option<Arc<Remembered>>,
}

/// One credential in a book.
#[derive(Debug, Default)]
struct Place {
    cooldowns: Cooldowns,
    /// Its rank among those that end at the same time.
    turn: u64,
}

impl ModelCooldowns {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    pub(crate) fn book(&self, model: &str) -> Option<&Book> {
        self.books.get(model)
    }

    pub(crate) fn book_mut(&mut self, model: &str) -> Option<&mut Book> {
        self.books.get_mut(model)
    }

    /// Until when a credential cools for a model.
    pub(crate) fn until(&self, place: u32, model: &str) -> Option<Instant> {
        self.book(model)?.until(place)
    }

    /// The earliest end in all books.
    #[inline]
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Begins a cooldown of a credential for one model.
    pub(crate) fn cool(&mut self, place: u32, model: &Arc<str>, cooldown: Cooldown) {
        self.books.entry(model.clone()).or_default().change(place, |cooldowns| cooldowns.add(cooldown));
        self.set_due();
    }

    /// Changes the cooldowns of a credential for one model, and says whether it still cools for it.
    pub(crate) fn change<R>(
        &mut self,
        place: u32,
        model: &str,
        change: impl FnOnce(&mut Cooldowns) -> R,
    ) -> Option<(R, bool)> {
        let book = self.books.get_mut(model)?;
        if !book.cooldowns.contains_key(&place) {
            return None;
        }
        let result = book.change(place, change);
        let still_cools = book.cooldowns.contains_key(&place);
        if book.cooldowns.is_empty() {
            self.books.remove(model);
        }
        self.set_due();
        Some((result, still_cools))
    }

    /// Ends the cooldowns that are over, a few at a time, and reports each to `ended`.
    pub(crate) fn end(&mut self, now: Instant, mut ended: impl FnMut(u32, &Arc<str>)) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.books.retain(|model, book| {
            for _ in 0..END_AT_ONCE {
                let Some(&(until, _, place)) = book.timetable.first() else { break };
                if until > now {
                    break;
                }
                book.change(place, Cooldowns::clear);
                ended(place, model);
            }
            !book.cooldowns.is_empty()
        });
        self.set_due();
    }

    fn set_due(&mut self) {
        self.due = self.books.values().filter_map(|book| book.timetable.first()).map(|first| first.0).min();
    }
}

impl Book {
    pub(crate) fn until(&self, place: u32) -> Option<Instant> {
        self.cooldowns(place)?.until()
    }

    pub(crate) fn cooldowns(&self, place: u32) -> Option<&Cooldowns> {
        self.cooldowns.get(&place).map(|place| &place.cooldowns)
    }

    /// The credentials that cool for this model, the first to recover first.
    pub(crate) fn cooling(&self) -> impl Iterator<Item = (Instant, u32)> {
        self.timetable.iter().map(|&(until, _, place)| (until, place))
    }

    /// Whether a credential cools for this model.
    pub(crate) fn holds(&self, place: u32) -> bool {
        self.cooldowns.contains_key(&place)
    }

    /// Remembers the first place in the queue that does not cool for this model, so that the next pick begins there.
    pub(crate) fn advance(&mut self, rotation: &Rotation) {
        let mut walk = rotation.queued_from(self.first(rotation));
        let mut last = None;
        let free = walk.find(|place| {
            last = Some(*place);
            !self.holds(*place)
        });
        self.from = free.or(last).and_then(|place| Some((place, rotation.seat(place)?)));
    }

    /// Where a pick begins. The remembered place is still right unless it has moved itself: nothing comes in before it.
    pub(crate) fn first(&self, rotation: &Rotation) -> Option<u32> {
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

    fn cooldown(now: Instant, seconds: u64) -> Cooldown {
        let until = now + Duration::from_secs(seconds);
        Cooldown { cause: Kind::Throttled, began: now, until, since: 1, guessed: false, probe_plan: None }
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
                    0 => rotation.to_back(place),
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
                let found: Vec<_> = match models.book_mut(&model) {
                    Some(book) => {
                        book.advance(&rotation);
                        let queue = rotation.queued_from(book.first(&rotation));
                        queue.filter(|place| !book.holds(*place)).collect()
                    }
                    None => rotation.queued().collect(),
                };
                prop_assert_eq!(found, expected);
                prop_assert_eq!(models.due(), naive.values().min().map(|until| at(*until)));
            }
        }
    }
}
