//! The rests of single models of credentials: a credential that rests for one model stays in the queue for the others.
//!
//! Nothing of this is looked at while no model rests. Else a request looks into one book, that of its model.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::cooldown::{Cooldown, Cooldowns};
use super::last_answer::Remembered;
use super::probe::Probing;
use super::rotation::Rotation;

/// How many models of one credential can rest at once. For a further one, the first to end becomes a rest of the whole
/// credential: too much rests for a short time, and nothing is sent earlier than allowed.
pub(crate) const MODELS: usize = 64;

/// How many rests for one model end at one look; it bounds the work where many end at once.
const END_AT_ONCE: usize = 8;

/// A book for each model that rests anywhere.
#[derive(Debug, Default)]
pub(crate) struct ModelCooldowns {
    books: HashMap<Arc<str>, Book>,
    /// The first end of all.
    due: Option<Instant>,
}

/// Which credentials rest for one model.
#[derive(Debug, Default)]
pub(crate) struct Book {
    cooldowns: HashMap<u32, Place>,
    /// Ordered by recovery; the turn keeps those that recover together in the order in which they failed.
    timetable: BTreeSet<(Instant, u64, u32)>,
    turn: u64,
    /// A place in the queue and its seat: all that stand before it rest for this model.
    from: Option<(u32, u64)>,
    /// A request is out to see whether one of them works again.
    pub(crate) probing: Probing,
    /// The last failed answer when nobody was left for this model.
    pub(crate) remembered: Option<Arc<Remembered>>,
}

/// One credential in a book.
#[derive(Debug, Default)]
struct Place {
    cooldowns: Cooldowns,
    /// Where it stands among those of the same end.
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

    /// Until when a credential rests for a model.
    pub(crate) fn until(&self, place: u32, model: &str) -> Option<Instant> {
        self.book(model)?.until(place)
    }

    /// The first end of all.
    #[inline]
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Adds a reason to rest for a model.
    pub(crate) fn cool(&mut self, place: u32, model: &Arc<str>, cooldown: Cooldown) {
        self.books.entry(model.clone()).or_default().change(place, |cooldowns| cooldowns.add(cooldown));
        self.set_due();
    }

    /// Changes why a credential rests for a model, and says whether it still does.
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
        let cooldowns = book.cooldowns.contains_key(&place);
        if book.cooldowns.is_empty() {
            self.books.remove(model);
        }
        self.set_due();
        Some((result, cooldowns))
    }

    /// Ends the rests that are over, a few at a time, and names them.
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

    /// Those that rest, the first to recover first.
    pub(crate) fn cooling(&self) -> impl Iterator<Item = (Instant, u32)> {
        self.timetable.iter().map(|&(until, _, place)| (until, place))
    }

    /// Whether a credential rests for this model.
    pub(crate) fn holds(&self, place: u32) -> bool {
        self.cooldowns.contains_key(&place)
    }

    /// Remembers how far the queue rests for this model, so that the next look need not begin at its front.
    pub(crate) fn advance(&mut self, rotation: &Rotation) {
        let mut walk = rotation.queued_from(self.first(rotation));
        let mut last = None;
        let free = walk.find(|place| {
            last = Some(*place);
            !self.holds(*place)
        });
        self.from = free.or(last).and_then(|place| Some((place, rotation.seat(place)?)));
    }

    /// Where to begin: what stood before a place stands there still, unless the place itself has moved.
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
            // It may stand before the place up to which all rest.
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
    fn a_model_that_nobody_rests_for_leaves_nothing_behind() {
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
        /// Who is ready for a model, found from where the last look ended, is who a search from the front finds.
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
