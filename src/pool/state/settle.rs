//! Settles an attempt: what its outcome changes, and what the request can do next.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::consequence::{Consequence, Facts, consequence};
use super::cooldowns::begin::NewCooldown;
use super::{AttemptRef, Effects, PoolEntry, RequestView, State};
use crate::config::{OnBan, Settings};
use crate::context::{Next, Suspect};
use crate::pool::prepared::{Access, Slot};
use crate::verdict::{Kind, Scope, Verdict};

/// The outcome of one attempt.
pub(crate) struct Outcome<'a> {
    pub(crate) access: &'a Arc<Access>,
    /// The pool's count of changes when the attempt began.
    pub(crate) started: u64,
    pub(crate) verdict: Verdict,
    pub(crate) request: RequestView<'a>,
    /// Gives a random number from 0 to 1, if one is needed.
    pub(crate) jitter: fn() -> f64,
}

/// The result of settling an attempt, for the request and for the pool's edge.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) next: Option<Next>,
    /// Whether the credential that comes next was last answered with a success.
    pub(crate) next_serves: bool,
    /// Whether the credential is a suspect: it cools if another one is then not refused for the same request.
    pub(crate) suspect: bool,
    /// Whether no credential is ready any more.
    pub(crate) dry: bool,
    pub(crate) effects: Effects,
}

impl State {
    /// Applies an outcome other than a plain success. (A plain success needs no lock.)
    pub(in crate::pool) fn settle(
        &mut self,
        settings: &Settings,
        has_source: bool,
        now: Instant,
        outcome: &Outcome<'_>,
    ) -> Settled {
        let Outcome { access, started, verdict, request, jitter } = outcome;
        let effects = self.join(now);
        let facts = self.facts(has_source, now, outcome);
        let consequence = consequence(settings, verdict, facts);
        let place = access.slot.place;
        let mut settled = Settled { next: None, next_serves: false, suspect: false, dry: false, effects };
        if self.owner(&access.slot).is_some() {
            self.count(access, verdict, consequence);
            match consequence {
                Consequence::Untouched | Consequence::Counted | Consequence::Again => {}
                Consequence::Succeeded => {
                    let (slot, generation) = (&access.slot, access.generation);
                    let model = request.model.map(|model| &**model);
                    settled.add(self.end_cooldowns(AttemptRef { slot, generation, started: *started, model }));
                }
                Consequence::ToBack => self.move_to_back(place),
                Consequence::Cool { length, guessed } => {
                    let unnamed = Arc::default();
                    let model = (verdict.scope() == Scope::Model).then(|| request.model.unwrap_or(&unnamed));
                    let cooldown = NewCooldown { cause: verdict.kind(), model, length, guessed, jitter: *jitter };
                    settled.add(self.cool(place, cooldown, now));
                    self.note_failure(place, verdict);
                }
                Consequence::Refresh => {
                    if let Some(entry) = self.entry_mut(place) {
                        entry.refreshing.force(now);
                    }
                }
                Consequence::Suspect => settled.suspect = true,
                Consequence::Out(reason) => {
                    settled.add(self.take_out(place, reason, now));
                    self.note_failure(place, verdict);
                }
            }
            if !verdict.is_success() {
                self.note_fault(place, verdict, request.model);
            }
        }
        settled.next = match (consequence, verdict.kind()) {
            (Consequence::Succeeded, _) => None,
            (Consequence::Refresh | Consequence::Again, _) => Some(Next::Same),
            (_, Kind::Rejected | Kind::Canceled) => Some(Next::Never),
            (_, Kind::Banned) if settings.on_ban == OnBan::Return => Some(Next::Never),
            // Two credentials were refused alike, or there is no other to compare with: the request is at fault.
            (Consequence::Untouched, Kind::Forbidden) => Some(Next::Never),
            _ => Some(self.availability(request, now)),
        };
        settled.next_serves = settled.next == Some(Next::Now)
            && self.next_ready(request).and_then(|next| self.entry(next)).is_some_and(PoolEntry::serves);
        settled.dry = self.ready(request.model).next().is_none();
        settled
    }

    /// Cools a suspect: a credential that was refused with 403, after another one was not refused for the same request.
    pub(in crate::pool) fn convict(&mut self, cooldown: Duration, suspect: &Suspect, now: Instant) -> Effects {
        let current = |entry: &PoolEntry| entry.access.generation == suspect.generation;
        match self.place_of(suspect.credential.as_str()) {
            Some(place) if self.entry(place).is_some_and(current) => {
                if let Some(entry) = self.entry_mut(place) {
                    entry.failures += 1;
                }
                let cause = suspect.verdict.kind();
                let cooldown =
                    NewCooldown { cause, model: None, length: cooldown, guessed: true, jitter: fastrand::f64 };
                let effects = self.cool(place, cooldown, now);
                self.note_failure(place, &suspect.verdict);
                effects
            }
            _ => Effects::default(),
        }
    }

    fn facts(&mut self, has_source: bool, now: Instant, outcome: &Outcome<'_>) -> Facts {
        let Outcome { access, request, .. } = outcome;
        let others = matches!(self.availability(request, now), Next::Now);
        let known = Facts {
            refreshed: request.is_refreshed,
            refused_elsewhere: request.is_refused_elsewhere,
            is_last_attempt: !request.is_resendable,
            own_origin: access.base.is_some(),
            others,
            ..Facts::default()
        };
        let Some(entry) = self.owner(&access.slot) else { return known };
        Facts {
            current: entry.access.generation == access.generation,
            refreshable: has_source && entry.is_refreshable() && entry.refreshing.may_force(now),
            login_lost: entry.refreshing.login_lost,
            ..known
        }
    }

    fn count(&mut self, access: &Arc<Access>, verdict: &Verdict, consequence: Consequence) {
        if let Some(status) = verdict.status() {
            access.slot.last_status.store(status.as_u16(), Relaxed);
        }
        match consequence {
            Consequence::Succeeded => {
                access.slot.successes.fetch_add(1, Relaxed);
            }
            Consequence::Untouched | Consequence::Again | Consequence::Suspect => {}
            _ => self.count_failure(&access.slot),
        }
    }

    /// Counts a failure of a credential. Nothing else changes.
    pub(in crate::pool) fn count_failure(&mut self, slot: &Arc<Slot>) {
        if let Some(entry) = self.owner(slot) {
            entry.failures += 1;
        }
    }

    /// The credential that is ready and next in the order for this request.
    fn next_ready(&self, request: &RequestView<'_>) -> Option<u32> {
        self.ready(request.model).find(|place| self.is_untried(*place, request))
    }

    /// What the pool could offer to this request next.
    pub(in crate::pool) fn availability(&self, request: &RequestView<'_>, now: Instant) -> Next {
        let at = |until: Option<Instant>| until.map_or(Next::Never, Next::At);
        let model = request.model;
        if let Some(pin) = request.pin {
            return at(self.place_of(pin.as_str()).and_then(|place| self.cools_until(place, model)));
        }
        if self.next_ready(request).is_some() {
            return Next::Now;
        }
        // A credential that cooled because of this request and is ready again has recovered while others were tried.
        let recovered = |place: u32| self.entry(place).is_some_and(|entry| (request.cooled_down)(&entry.credential.id));
        let recovered = self.ready(model).any(recovered);
        if recovered { Next::At(now) } else { at(self.first_recovery(model).map(|first| first.0)) }
    }
}

impl Settled {
    fn add(&mut self, effects: Effects) {
        let recovered = std::mem::take(&mut self.effects.recovered);
        self.effects = effects;
        self.effects.recovered.extend(recovered);
    }
}
