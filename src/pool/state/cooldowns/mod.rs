//! Cooldowns, from their beginning to their end: until when a credential is not picked, as a whole or for one model.
//!
//! This room holds the cooldowns themselves, the transitions that `begin` and `end` them, the schedule of each model that
//! cools (`models`), and the probes that go out before an end (`probe`, by a `probe_plan`). A credential has one cooldown for
//! each cause, because a success says that a throttle is over and nothing about a refused token.

pub(in crate::pool::state) mod begin;
pub(in crate::pool::state) mod end;
pub(in crate::pool::state) mod models;
pub(in crate::pool::state) mod probe;
mod probe_plan;

use std::time::Instant;

use self::probe_plan::ProbePlan;
use crate::verdict::Kind;

/// One cooldown. Each cause has its own; the credential is ready when the last of them ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pool::state) struct RunningCooldown {
    pub(in crate::pool::state) cause: Kind,
    pub(in crate::pool::state) began: Instant,
    pub(in crate::pool::state) until: Instant,
    /// The pool's count of changes when it began.
    pub(in crate::pool::state) since: u64,
    /// The time is ours, the provider stated none.
    pub(in crate::pool::state) guessed: bool,
    /// The plan to probe it before its end, if there is one. Boxed, because few cooldowns have one.
    pub(in crate::pool::state) probe_plan: Option<Box<ProbePlan>>,
}

impl RunningCooldown {
    /// Whether this cooldown permits a probe: when its plan is due, or, if `guesses` may be probed and its end is our guess,
    /// once half of it has passed.
    fn permits_probe(&self, now: Instant, guesses: bool) -> bool {
        let half_over = || now.saturating_duration_since(self.began) >= self.until.saturating_duration_since(now);
        guesses && self.guessed && half_over()
            || self.probe_plan.as_ref().is_some_and(|probe_plan| probe_plan.is_due(now))
    }

    /// Whether a success shows that the cooldown is over. The success counts if its attempt began after the cooldown.
    fn is_contradicted_by_success(&self, started: u64) -> bool {
        let about_use = matches!(self.cause, Kind::Throttled | Kind::Network | Kind::QuotaExhausted | Kind::Billing);
        about_use && self.since <= started
    }
}

/// All cooldowns of one credential, or of one of its models.
#[derive(Debug, Default)]
pub(in crate::pool::state) struct Cooldowns(Vec<RunningCooldown>);

impl Cooldowns {
    /// Adds a cooldown. For one cause the later end counts, and an earlier plan to probe goes on.
    pub(in crate::pool::state) fn add(&mut self, newer: RunningCooldown) {
        match self.0.iter_mut().find(|known| known.cause == newer.cause) {
            Some(known) if known.until >= newer.until => known.since = newer.since,
            Some(known) => {
                *known = RunningCooldown { probe_plan: known.probe_plan.take().or(newer.probe_plan), ..newer }
            }
            None => self.0.push(newer),
        }
    }

    pub(in crate::pool::state) fn until_of(&self, cause: Kind) -> Option<Instant> {
        self.0.iter().find(|cooldown| cooldown.cause == cause).map(|cooldown| cooldown.until)
    }

    pub(in crate::pool::state) fn causes(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().map(|cooldown| cooldown.cause)
    }

    /// When the last of them ends.
    pub(in crate::pool::state) fn until(&self) -> Option<Instant> {
        self.0.iter().map(|cooldown| cooldown.until).max()
    }

    /// The cooldown with the latest end.
    pub(in crate::pool::state) fn latest(&self) -> Option<&RunningCooldown> {
        self.0.iter().max_by_key(|cooldown| cooldown.until)
    }

    pub(in crate::pool::state) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::pool::state) fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the cooldowns that `keep` accepts. True if any was dropped.
    pub(in crate::pool::state) fn retain(&mut self, keep: impl FnMut(&RunningCooldown) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(keep);
        self.0.len() < before
    }

    /// Ends the cooldowns that a success contradicts. Its attempt began at this count of changes.
    pub(in crate::pool::state) fn end_contradicted(&mut self, started: u64) -> bool {
        self.retain(|cooldown| !cooldown.is_contradicted_by_success(started))
    }

    /// True if every cooldown that lasts permits a probe.
    pub(in crate::pool::state) fn permit_probe(&self, now: Instant, guesses: bool) -> bool {
        self.0.iter().filter(|cooldown| cooldown.until > now).all(|cooldown| cooldown.permits_probe(now, guesses))
    }

    /// The plan to probe before the end. Only a used-up quota has such a plan.
    pub(in crate::pool::state) fn probe_plan(&self) -> Option<&ProbePlan> {
        self.0.iter().find_map(|cooldown| cooldown.probe_plan.as_deref())
    }

    /// When the planned probe may go out: at the time of the plan, and after the stated ends of all other cooldowns.
    pub(in crate::pool::state) fn next_probe(&self) -> Option<Instant> {
        let at = self.probe_plan()?.at();
        let others = self.0.iter().filter(|cooldown| cooldown.probe_plan.is_none() && !cooldown.guessed);
        others.map(|cooldown| cooldown.until).chain([at]).max()
    }

    pub(in crate::pool::state) fn probe_plan_mut(&mut self) -> Option<&mut ProbePlan> {
        self.0.iter_mut().find_map(|cooldown| cooldown.probe_plan.as_deref_mut())
    }
}
