//! Takes stored health over into the pool: times of the wall clock become times of the monotonic one.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::outbox::NotedStep;
use crate::config::Settings;
use crate::pool::state::consequence::longest_after_refusals;
use crate::pool::state::cooldowns::Cooldowns;
use crate::pool::state::cooldowns::begin::NewCooldown;
use crate::pool::state::{Effects, State};
use crate::store::{Cooldown, Health};
use crate::verdict::Scope;

/// How much later than the pool's own cooldown a stored one must end to replace it. A smaller difference is only the
/// delay of the store.
const SLACK: Duration = Duration::from_secs(1);

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool) struct Moment {
    pub(in crate::pool) wall: SystemTime,
    pub(in crate::pool) now: Instant,
}

/// The end of a stored cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StoredEnd {
    at: Instant,
    guessed: bool,
    /// Whether it was farther away than any cooldown may be, which shows that a clock has jumped.
    jumped: bool,
}

/// The end of a stored cooldown. `None` if it is over, or concerns a model without a name.
///
/// No cooldown is longer than the settings allow, so an end that is farther away shows that a clock has jumped. Such a
/// cooldown counts as one without a stated time.
fn end_of(cooldown: &Cooldown, settings: &Settings, moment: Moment) -> Option<StoredEnd> {
    if cooldown.model.is_none() && cooldown.scope == Scope::Model {
        return None;
    }
    let left = cooldown.until.duration_since(moment.wall).ok().filter(|left| !left.is_zero())?;
    let guesses = [settings.rate_limit_cooldown, settings.auth_failure_cooldown, settings.payment_cooldown];
    let longest = match cooldown.guessed {
        true => guesses.into_iter().fold(longest_after_refusals(settings), Duration::max).min(settings.max_cooldown),
        false => settings.max_cooldown,
    };
    let jumped = left > longest + SLACK;
    let (left, guessed) = match jumped {
        true => (settings.rate_limit_cooldown.min(settings.max_cooldown), true),
        false => (left, cooldown.guessed),
    };
    Some(StoredEnd { at: moment.now.checked_add(left)?, guessed, jumped })
}

impl State {
    /// Takes over what other processes have changed in a credential's stored health, which `was` this at the last
    /// reading and `is` that now. A cooldown causes no event here, because the process that began it has sent one. An
    /// impossible end is corrected in the store; otherwise the next process to open it would keep the credential from
    /// use for years.
    pub(in crate::pool) fn take_over(
        &mut self,
        place: u32,
        settings: &Settings,
        was: &Health,
        is: &Health,
        moment: Moment,
    ) -> Effects {
        let same = |one: &Cooldown, other: &Cooldown| {
            (one.cause, one.scope, &one.model) == (other.cause, other.scope, &other.model)
        };
        for gone in was.cooldowns.iter().filter(|gone| !is.cooldowns.iter().any(|held| same(held, gone))) {
            if let Some(end) = end_of(gone, settings, moment) {
                self.end_until(place, gone, end.at + SLACK);
            }
        }
        for new in is.cooldowns.iter().filter(|new| !was.cooldowns.contains(new)) {
            if let Some(end) = end_of(new, settings, moment) {
                self.cool_until(place, new, end, moment.now);
                if end.jumped {
                    self.correct(place, new, end);
                }
            }
        }
        if was.last_status != is.last_status
            && let Some(entry) = self.entry_mut(place)
        {
            entry.know_last_status(is.last_status);
        }
        match (was.out, is.out) {
            (was, Some(reason)) if was != Some(reason) => self.out_elsewhere(place, reason, moment.now),
            (Some(_), None) => {
                self.back_in(place);
                Effects::default()
            }
            _ => Effects::default(),
        }
    }

    /// Cools a credential until `end`, if its own cooldown ends earlier than that by more than the slack.
    fn cool_until(&mut self, place: u32, new: &Cooldown, end: StoredEnd, now: Instant) {
        let model = new.model.as_deref().map(Arc::from);
        let known = self.cooldowns_of(place, model.as_ref()).and_then(|cooldowns| cooldowns.until_of(new.cause));
        if known.is_some_and(|known| known + SLACK >= end.at) {
            return;
        }
        let length = end.at.saturating_duration_since(now);
        let cooldown = NewCooldown {
            cause: new.cause,
            model: model.as_ref(),
            length,
            guessed: end.guessed,
            jitter: fastrand::f64,
        };
        // The process that began the cooldown has sent the event.
        let Effects { .. } = self.begin_cooldown(place, cooldown, now);
    }

    /// Notes for the store that the cooldown `held` has this end.
    fn correct(&mut self, place: u32, held: &Cooldown, end: StoredEnd) {
        let Self { entries, outbox, .. } = self;
        let Some(Some(entry)) = entries.get(place as usize) else { return };
        let (cause, model) = (held.cause, held.model.as_deref().map(Arc::from));
        for step in [
            NotedStep::Ended(cause, model.clone()),
            NotedStep::Cooled { cause, model, until: end.at, guessed: end.guessed },
        ] {
            outbox.note(&entry.credential.id, entry.access.generation, || step);
        }
    }

    /// Ends a cooldown that another process has ended, unless a later one has begun here.
    fn end_until(&mut self, place: u32, gone: &Cooldown, until: Instant) {
        let end =
            |cooldowns: &mut Cooldowns| cooldowns.retain(|known| known.cause != gone.cause || known.until > until);
        if let Some(model) = gone.model.as_deref().map(Arc::from) {
            self.change_model(place, &model, end);
        } else if self.entry_mut(place).is_some_and(|entry| end(&mut entry.cooldowns)) {
            self.reschedule(place, false);
        }
    }

    fn cooldowns_of(&self, place: u32, model: Option<&Arc<str>>) -> Option<&Cooldowns> {
        match model {
            None => self.entry(place).map(|entry| &entry.cooldowns),
            Some(model) => self.models.schedule(model)?.cooldowns(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::credentials::Credential;
    use crate::credentials::Generation;
    use crate::credentials::Secret;
    use crate::pool::prepared::{Access, Lifetime, Slot};
    use crate::pool::state::Arrival;
    use crate::verdict::Kind;

    const YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);

    #[test]
    fn no_jump_of_a_clock_keeps_a_credential_from_use_for_long() {
        let settings = Settings::default();
        let moment = Moment { wall: UNIX_EPOCH + 10 * YEARS, now: crate::clock::now() };
        let cooldown = |left: Duration, guessed| {
            let cooldown = Cooldown::new(Kind::Throttled, moment.wall + left).with_guessed(guessed);
            end_of(&cooldown, &settings, moment).map(|end| ((end.at - moment.now).as_secs(), end.guessed, end.jumped))
        };
        let day = Duration::from_secs(86_400);
        assert_eq!(cooldown(Duration::from_secs(90), false), Some((90, false, false)));
        assert_eq!(cooldown(Duration::from_secs(90), true), Some((90, true, false)));
        assert_eq!(cooldown(8 * day, false), Some((8 * 86_400, false, false)));
        assert_eq!(cooldown(9 * day, false), Some((30, true, true)));
        assert_eq!(cooldown(day, true), Some((30, true, true)));
        assert_eq!(cooldown(YEARS, false), Some((30, true, true)));
        assert_eq!(cooldown(YEARS, true), Some((30, true, true)));
        assert_eq!(cooldown(Duration::ZERO, false), None);
        let past = Cooldown::new(Kind::Throttled, moment.wall - YEARS);
        assert_eq!(end_of(&past, &settings, moment), None);
    }

    #[test]
    fn a_cooldown_that_has_grown_is_no_jump_of_a_clock() {
        let hour = Duration::from_secs(60 * 60);
        let moment = Moment { wall: UNIX_EPOCH, now: crate::clock::now() };
        let jumped = |most: Duration, left: Duration| {
            let settings =
                Settings { payment_cooldown: Duration::from_secs(60), max_grown_cooldown: most, ..Settings::default() };
            let cooldown = Cooldown::new(Kind::Unauthorized, moment.wall + left).with_guessed(true);
            end_of(&cooldown, &settings, moment).unwrap().jumped
        };
        assert!(!jumped(3 * hour, 3 * hour) && jumped(3 * hour, 4 * hour) && jumped(hour, 3 * hour));
        let short = Settings {
            rate_limit_cooldown: SLACK,
            auth_failure_cooldown: SLACK,
            payment_cooldown: SLACK,
            max_grown_cooldown: SLACK,
            ..Settings::default()
        };
        let refused = Cooldown::new(Kind::Unauthorized, moment.wall + Duration::from_secs(30)).with_guessed(true);
        assert!(!end_of(&refused, &short, moment).unwrap().jumped, "the first cooldown after a refusal is as long");
    }

    #[test]
    fn a_cooldown_of_one_model_is_none_of_the_credential() {
        let moment = Moment { wall: UNIX_EPOCH, now: crate::clock::now() };
        let credential = Credential::new("a", Secret::new("key"));
        let slot = Arc::new(Slot::new(&credential, 0));
        let access = Access::prepare(&credential, slot, Generation::FIRST, Lifetime::default()).unwrap();
        let mut state = State::default();
        let admission = state.admit(&credential, Arrival::Given { follows: false });
        state.insert(credential, Arc::new(access), admission);
        let (settings, none) = (Settings::default(), Health::default());
        let end = UNIX_EPOCH + Duration::from_secs(9);
        let health =
            Health { cooldowns: vec![Cooldown::new(Kind::Throttled, end).with_model("large")], ..none.clone() };
        let cooldowns = |state: &State| {
            let until = state.models.until(0, &Arc::from("large"));
            (state.rotation.is_queued(0), until.map(|until| (until - moment.now).as_secs()))
        };
        assert!(state.take_over(0, &settings, &none, &health, moment).is_empty());
        assert_eq!(cooldowns(&state), (true, Some(9)));
        assert!(state.take_over(0, &settings, &health, &none, moment).is_empty());
        assert_eq!(cooldowns(&state), (true, None));
    }
}
