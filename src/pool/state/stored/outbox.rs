//! The outbox: changes of a pool that are still to be written to its store. It is plain data, filled under the pool's
//! lock and emptied by the task that writes (`pool/mirror`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::StatusCode;

use crate::credentials::{CredentialId, Generation};
use crate::pool::state::State;
use crate::pool::state::removed::Removed;
use crate::store::{Cooldown, HealthChange, LastStatus};
use crate::verdict::OutReason;
use crate::verdict::{Kind, Scope};

/// What waits to be stored.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct Outbox {
    /// Whether a task writes the changes to the store. Without one none are collected.
    is_attended: bool,
    notes: Vec<HealthNote>,
    /// The credentials that were added, changed or removed, each with its count of changes.
    changed: HashMap<CredentialId, u64>,
    /// The order that a caller has set, if it is not stored yet.
    order: Option<Vec<CredentialId>>,
    /// Counts the writes to the store, so that a reading that began before the last write is known to be out of date.
    writes: u64,
}

/// A change of one credential's health, for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pool) struct HealthNote {
    pub(in crate::pool) id: CredentialId,
    pub(in crate::pool) generation: Generation,
    step: Option<NotedStep>,
    /// The status of the answer that caused the step; or of an answer without a step.
    answered: Option<StatusCode>,
}

/// One step of a change of health. Its times are monotonic, because the user's wall clock is not read under the pool's
/// lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pool::state) enum NotedStep {
    Cooled { cause: Kind, model: Option<Arc<str>>, until: Instant, guessed: bool },
    Ended(Kind, Option<Arc<str>>),
    Out(OutReason),
    Cleared,
}

impl Outbox {
    fn attend(&mut self) {
        self.is_attended = true;
    }

    pub(in crate::pool::state) fn is_attended(&self) -> bool {
        self.is_attended
    }

    /// Whether there is something to write.
    #[inline]
    fn is_waiting(&self) -> bool {
        self.is_attended && (!self.notes.is_empty() || !self.changed.is_empty() || self.order.is_some())
    }

    #[inline]
    pub(in crate::pool::state) fn note(
        &mut self,
        id: &CredentialId,
        generation: Generation,
        step: impl FnOnce() -> NotedStep,
    ) {
        if self.is_attended {
            self.push(id, generation, step());
        }
    }

    #[cold]
    fn push(&mut self, id: &CredentialId, generation: Generation, step: NotedStep) {
        // Many equal failures become one note.
        match self.notes.last_mut() {
            Some(last) if last.is_of(id, generation) && last.step.as_ref().is_none_or(|held| held.is_before(&step)) => {
                last.step = Some(step);
            }
            _ => self.notes.push(HealthNote { id: id.clone(), generation, step: Some(step), answered: None }),
        }
    }

    /// Notes the status of an answer, together with the step that it caused.
    #[cold]
    pub(in crate::pool::state) fn answered(&mut self, id: &CredentialId, generation: Generation, status: StatusCode) {
        match self.notes.last_mut() {
            _ if !self.is_attended => {}
            Some(last) if last.is_of(id, generation) => last.answered = Some(status),
            _ => self.notes.push(HealthNote { id: id.clone(), generation, step: None, answered: Some(status) }),
        }
    }

    pub(in crate::pool::state) fn change(&mut self, id: &CredentialId) {
        if self.is_attended {
            *self.changed.entry(id.clone()).or_default() += 1;
        }
    }

    fn reorder(&mut self, order: Vec<CredentialId>) {
        if self.is_attended {
            self.order = Some(order);
        }
    }

    fn take_order(&mut self) -> Option<Vec<CredentialId>> {
        self.order.take()
    }

    /// Returns an order that could not be written, unless another one was set meanwhile.
    fn give_back_order(&mut self, order: Vec<CredentialId>) {
        self.order.get_or_insert(order);
    }

    fn take_notes(&mut self) -> Vec<HealthNote> {
        std::mem::take(&mut self.notes)
    }

    /// The credentials that are to be written, each with the mark that [`Outbox::written`] takes.
    fn changed(&self) -> Vec<(CredentialId, u64)> {
        self.changed.iter().map(|(id, count)| (id.clone(), *count)).collect()
    }

    /// Whether the pool has a change of this credential that is not in the store.
    pub(in crate::pool::state) fn is_changed(&self, id: &CredentialId) -> bool {
        self.changed.contains_key(id)
    }

    /// Notes that a credential is stored, unless it has changed again since `mark`. `is_news` says whether anything had
    /// to be written or taken over.
    fn written(&mut self, id: &CredentialId, mark: u64, is_news: bool) {
        self.writes += u64::from(is_news);
        if self.changed.get(id) == Some(&mark) {
            self.changed.remove(id);
        }
    }

    fn writes(&self) -> u64 {
        self.writes
    }
}

/// The transitions for the task that writes to the store.
impl State {
    /// Collects changes from now on, because there is a task that writes them.
    pub(in crate::pool) fn collect_changes(&mut self) {
        self.outbox.attend();
    }

    /// Whether there is something to write to the store.
    #[inline]
    pub(in crate::pool) fn has_unsaved_changes(&self) -> bool {
        self.outbox.is_waiting()
    }

    /// Whether the pool has a change of this credential that is not in the store.
    pub(in crate::pool) fn is_unsaved(&self, id: &CredentialId) -> bool {
        self.outbox.is_changed(id)
    }

    /// Notes that the store is to have this order.
    pub(in crate::pool) fn note_order(&mut self, order: Vec<CredentialId>) {
        self.outbox.reorder(order);
    }

    /// The changes of health that the store is to be told, in their order.
    pub(in crate::pool) fn take_health_notes(&mut self) -> Vec<HealthNote> {
        self.outbox.take_notes()
    }

    /// The credentials that are to be written, each with the mark that [`State::saved`] takes.
    pub(in crate::pool) fn unsaved(&self) -> Vec<(CredentialId, u64)> {
        self.outbox.changed()
    }

    /// Notes that a credential is in the store, unless it has changed again. `is_news` says whether anything had to be written
    /// or taken over. What is returned is dropped after the lock.
    pub(in crate::pool) fn saved(&mut self, id: &CredentialId, mark: u64, is_news: bool) -> Option<Removed> {
        self.outbox.written(id, mark, is_news);
        self.forget_removed(id)
    }

    /// The order that is to be written, if one was set.
    pub(in crate::pool) fn take_unsaved_order(&mut self) -> Option<Vec<CredentialId>> {
        self.outbox.take_order()
    }

    /// Returns an order that could not be written, unless another one was set meanwhile.
    pub(in crate::pool) fn give_back_order(&mut self, order: Vec<CredentialId>) {
        self.outbox.give_back_order(order);
    }

    /// Counts the writes to the store, so that a reading that began before the last write is known to be out of date.
    pub(in crate::pool) fn store_writes(&self) -> u64 {
        self.outbox.writes()
    }
}

impl NotedStep {
    /// Whether `later` makes this step superfluous.
    fn is_before(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Cooled { cause, model, until, .. }, Self::Cooled { cause: again, model: same, until: end, .. }) => {
                (cause, model) == (again, same) && until <= end
            }
            _ => self == later,
        }
    }

    /// This step in the form of the store, with times of the wall clock.
    fn change(&self, wall: SystemTime, now: Instant) -> HealthChange {
        let change = HealthChange::new();
        match self {
            Self::Cooled { cause, model, until, guessed } => {
                match wall.checked_add(until.saturating_duration_since(now)) {
                    Some(end) => {
                        let cooldown = Cooldown::new(*cause, end).with_guessed(*guessed);
                        change.cooled(match model {
                            Some(model) => cooldown.with_model(&**model),
                            None => cooldown,
                        })
                    }
                    None => change,
                }
            }
            Self::Ended(cause, None) => change.ended(*cause, Scope::Credential, None),
            Self::Ended(cause, Some(model)) => change.ended(*cause, Scope::Model, Some(model)),
            Self::Out(reason) => change.out(Some(*reason)),
            Self::Cleared => change.cleared(),
        }
    }
}

impl HealthNote {
    fn is_of(&self, id: &CredentialId, generation: Generation) -> bool {
        self.id == *id && self.generation == generation
    }

    pub(in crate::pool) fn change(&self, wall: SystemTime, now: Instant) -> HealthChange {
        let change = self.step.as_ref().map_or_else(HealthChange::new, |step| step.change(wall, now));
        match self.answered {
            Some(status) => change.answered(LastStatus::new(status, wall)),
            None => change,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::store::Health;

    fn cooldowns(now: Instant, seconds: u64) -> NotedStep {
        NotedStep::Cooled {
            cause: Kind::Throttled,
            model: None,
            until: now + Duration::from_secs(seconds),
            guessed: false,
        }
    }

    #[test]
    fn nothing_is_collected_without_a_task_that_writes_it() {
        let mut outbox = Outbox::default();
        outbox.note(&"a".into(), Generation::FIRST, || NotedStep::Cleared);
        outbox.answered(&"a".into(), Generation::FIRST, StatusCode::OK);
        outbox.change(&"a".into());
        outbox.reorder(vec!["a".into()]);
        assert!(!outbox.is_waiting() && outbox.take_notes().is_empty() && outbox.changed().is_empty());
    }

    #[test]
    fn a_storm_of_failures_alike_is_one_note() {
        let (now, mut outbox) = (crate::clock::now(), Outbox::default());
        outbox.attend();
        for seconds in 1..=1000 {
            outbox.note(&"a".into(), Generation::FIRST, || cooldowns(now, seconds));
            outbox.answered(&"a".into(), Generation::FIRST, StatusCode::TOO_MANY_REQUESTS);
        }
        outbox.note(&"a".into(), Generation::FIRST, || NotedStep::Ended(Kind::Throttled, None));
        outbox.note(&"a".into(), Generation::FIRST, || NotedStep::Ended(Kind::Throttled, None));
        outbox.note(&"b".into(), Generation::FIRST, || NotedStep::Ended(Kind::Throttled, None));
        let notes: Vec<_> = outbox.take_notes().into_iter().map(|note| (note.step.unwrap(), note.answered)).collect();
        let ended = NotedStep::Ended(Kind::Throttled, None);
        let limited = Some(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(notes, [(cooldowns(now, 1000), limited), (ended.clone(), None), (ended, None)]);
    }

    #[test]
    fn an_answer_is_noted_with_its_step_or_alone() {
        let (now, wall, mut outbox) = (crate::clock::now(), UNIX_EPOCH, Outbox::default());
        let (a, limited) = (CredentialId::from("a"), StatusCode::TOO_MANY_REQUESTS);
        outbox.attend();
        outbox.answered(&a, Generation::FIRST, StatusCode::OK);
        outbox.note(&a, Generation::FIRST, || cooldowns(now, 30));
        outbox.answered(&a, Generation::FIRST, limited);
        outbox.answered(&"b".into(), Generation::FIRST, StatusCode::OK);
        let changes: Vec<_> = outbox.take_notes().iter().map(|note| note.change(wall, now)).collect();
        let cooled = Cooldown::new(Kind::Throttled, wall + Duration::from_secs(30));
        let last = |status| LastStatus::new(status, wall);
        let of_a = HealthChange::new().cooled(cooled).answered(last(limited));
        assert_eq!(changes, [of_a, HealthChange::new().answered(last(StatusCode::OK))]);
    }

    #[test]
    fn what_changes_while_it_is_written_is_written_again() {
        let mut outbox = Outbox::default();
        outbox.attend();
        outbox.change(&"a".into());
        let [(id, mark)] = &outbox.changed()[..] else { panic!() };
        outbox.change(&"a".into());
        outbox.written(id, *mark, true);
        assert!(outbox.is_changed(id));
        let [(id, mark)] = &outbox.changed()[..] else { panic!() };
        outbox.written(id, *mark, false);
        assert!(!outbox.is_changed(id));
        assert_eq!(outbox.writes(), 1, "what is as the store holds it is no write");
    }

    #[test]
    fn a_cooldown_ends_in_the_store_as_long_from_now_as_here() {
        let (now, wall) = (crate::clock::now(), UNIX_EPOCH + Duration::from_secs(1_000));
        let mut health = Health::default();
        cooldowns(now, 30).change(wall, now).apply(&mut health);
        assert_eq!(health.cooldowns, [Cooldown::new(Kind::Throttled, wall + Duration::from_secs(30))]);
        NotedStep::Ended(Kind::Throttled, None).change(wall, now).apply(&mut health);
        NotedStep::Out(OutReason::Banned).change(wall, now).apply(&mut health);
        assert_eq!(health, Health { out: Some(OutReason::Banned), ..Health::default() });
        NotedStep::Cleared.change(wall, now).apply(&mut health);
        assert_eq!(health, Health::default());
    }
}
