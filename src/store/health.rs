//! The health of a credential as a store keeps it: cooldowns and `out`, with times of the wall clock.

use std::time::SystemTime;

use http::StatusCode;

use crate::verdict::{Kind, OutReason, Scope};

/// The health of a credential: what keeps it from being used, and its last status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Health {
    /// Its cooldowns, one for each cause, scope and model.
    pub cooldowns: Vec<Cooldown>,
    /// Why it is out until a person acts, if it is.
    pub out: Option<OutReason>,
    /// The last status that was noted. A pool notes the status of a failure that makes the credential cool or takes it out, and
    /// of the first success after it. An answer that changes nothing is not noted.
    pub last_status: Option<LastStatus>,
}

/// The status of an answer, and when it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastStatus {
    /// The status of the answer.
    pub status: StatusCode,
    /// When it was noted.
    pub at: SystemTime,
}

impl LastStatus {
    /// A status that was noted at this time.
    #[must_use]
    pub const fn new(status: StatusCode, at: SystemTime) -> Self {
        Self { status, at }
    }
}

/// A cooldown: until when a credential is not picked, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cooldown {
    /// The kind of failure that caused it.
    pub cause: Kind,
    /// The scope that cools.
    pub scope: Scope,
    /// Which model cools, if the scope is [`Scope::Model`].
    pub model: Option<String>,
    /// When it ends. A cooldown that is over has no effect.
    pub until: SystemTime,
    /// Whether the end is a guess, because the provider stated no time.
    pub guessed: bool,
}

impl Cooldown {
    /// A cooldown of the whole credential, with a time that was stated.
    #[must_use]
    pub fn new(cause: Kind, until: SystemTime) -> Self {
        Self { cause, scope: Scope::Credential, model: None, until, guessed: false }
    }

    /// Sets the scope that cools, if it is not the whole credential.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets that one model cools, and which.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.scope = Scope::Model;
        self.model = Some(model.into());
        self
    }

    /// Sets whether the end is a guess.
    #[must_use]
    pub fn with_guessed(mut self, guessed: bool) -> Self {
        self.guessed = guessed;
        self
    }

    fn is_of(&self, cause: Kind, scope: Scope, model: Option<&str>) -> bool {
        (self.cause, self.scope, self.model.as_deref()) == (cause, scope, model)
    }
}

/// A change of a credential's health: steps that are applied to the stored health at the time of the write, so that two
/// processes do not undo each other's changes.
///
/// ```
/// use oauth_marathon::store::{Cooldown, Health, HealthChange};
/// use oauth_marathon::verdict::Kind;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
/// let mut health = Health::default();
/// // For one cause the later end counts.
/// HealthChange::new().cooled(Cooldown::new(Kind::Throttled, at(90))).apply(&mut health);
/// HealthChange::new().cooled(Cooldown::new(Kind::Throttled, at(30))).apply(&mut health);
/// assert_eq!(health.cooldowns, [Cooldown::new(Kind::Throttled, at(90))]);
/// HealthChange::new().cleared().apply(&mut health);
/// assert_eq!(health, Health::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthChange {
    steps: Vec<HealthStep>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HealthStep {
    Cooled(Cooldown),
    Ended(Kind, Scope, Option<String>),
    Out(Option<OutReason>),
    Answered(LastStatus),
    Cleared,
}

impl HealthChange {
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds that a cooldown begins. If a cooldown of the same cause, scope and model lasts, the later end counts.
    #[must_use]
    pub fn cooled(self, cooldown: Cooldown) -> Self {
        self.and(HealthStep::Cooled(cooldown))
    }

    /// Adds that the cooldown of this cause, scope and model ends.
    #[must_use]
    pub fn ended(self, cause: Kind, scope: Scope, model: Option<&str>) -> Self {
        self.and(HealthStep::Ended(cause, scope, model.map(Into::into)))
    }

    /// Adds that the credential is out until a person acts, or (`None`) that it is not any more.
    #[must_use]
    pub fn out(self, reason: Option<OutReason>) -> Self {
        self.and(HealthStep::Out(reason))
    }

    /// Adds a status. Of several, the one that was noted last counts.
    #[must_use]
    pub fn answered(self, last: LastStatus) -> Self {
        self.and(HealthStep::Answered(last))
    }

    /// Adds that everything ends that keeps the credential from being used. Its last status stays.
    #[must_use]
    pub fn cleared(self) -> Self {
        self.and(HealthStep::Cleared)
    }

    /// This change, followed by `later`.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        later.steps.into_iter().fold(self, Self::and)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Changes `health`.
    pub fn apply(&self, health: &mut Health) {
        for step in &self.steps {
            step.apply(health);
        }
    }

    /// Adds a step, and drops the steps that it makes superfluous, so that a change that waits for long stays small.
    fn and(mut self, step: HealthStep) -> Self {
        match &step {
            HealthStep::Cleared => self.steps.retain(|earlier| matches!(earlier, HealthStep::Answered(_))),
            HealthStep::Answered(_) => self.steps.retain(|earlier| !matches!(earlier, HealthStep::Answered(_))),
            HealthStep::Out(_) => self.steps.retain(|earlier| !matches!(earlier, HealthStep::Out(_))),
            HealthStep::Ended(cause, scope, model) => self.steps.retain(|earlier| match earlier {
                HealthStep::Cooled(cooldown) => !cooldown.is_of(*cause, *scope, model.as_deref()),
                earlier => *earlier != step,
            }),
            HealthStep::Cooled(next) => {
                let same = |held: &Cooldown| held.is_of(next.cause, next.scope, next.model.as_deref());
                let later = |step: &HealthStep| matches!(step, HealthStep::Cooled(held) if same(held) && held.until >= next.until);
                if self.steps.iter().any(later) {
                    return self;
                }
                self.steps.retain(|earlier| !matches!(earlier, HealthStep::Cooled(held) if same(held)));
            }
        }
        self.steps.push(step);
        self
    }
}

impl HealthStep {
    fn apply(&self, health: &mut Health) {
        match self {
            Self::Cooled(next) => {
                let of = |held: &&mut Cooldown| held.is_of(next.cause, next.scope, next.model.as_deref());
                match health.cooldowns.iter_mut().find(of) {
                    Some(held) if held.until < next.until => *held = next.clone(),
                    Some(_) => {}
                    None => health.cooldowns.push(next.clone()),
                }
            }
            Self::Ended(cause, scope, model) => {
                health.cooldowns.retain(|held| !held.is_of(*cause, *scope, model.as_deref()));
            }
            Self::Out(reason) => health.out = *reason,
            Self::Answered(last) => health.last_status = Some(*last),
            Self::Cleared => *health = Health { last_status: health.last_status, ..Health::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn throttled(until: u64) -> Cooldown {
        Cooldown::new(Kind::Throttled, at(until))
    }

    fn answered(status: u16) -> LastStatus {
        LastStatus::new(StatusCode::from_u16(status).unwrap(), at(status.into()))
    }

    fn steps() -> Vec<HealthChange> {
        let new = HealthChange::new;
        vec![
            new(),
            new().cooled(throttled(10)),
            new().cooled(throttled(30)),
            new().cooled(throttled(20).with_guessed(true)),
            new().cooled(throttled(20).with_model("large")),
            new().cooled(throttled(40).with_model("small")),
            new().cooled(Cooldown::new(Kind::Network, at(15)).with_scope(Scope::Network)),
            new().ended(Kind::Throttled, Scope::Credential, None),
            new().ended(Kind::Throttled, Scope::Model, Some("large")),
            new().out(Some(OutReason::Banned)),
            new().out(None),
            new().answered(answered(429)),
            new().answered(answered(200)),
            new().cleared(),
        ]
    }

    fn applied(changes: &[&HealthChange]) -> Health {
        let mut health =
            Health { cooldowns: vec![throttled(25)], out: Some(OutReason::Revoked), last_status: Some(answered(500)) };
        for change in changes {
            change.apply(&mut health);
        }
        health
    }

    #[test]
    fn several_changes_as_one_do_what_they_do_in_turn() {
        let steps = steps();
        for a in &steps {
            for b in &steps {
                for c in &steps {
                    let one = a.clone().then(b.clone()).then(c.clone());
                    assert!(one.steps.len() <= 3);
                    assert_eq!(applied(&[&one]), applied(&[a, b, c]), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    #[test]
    fn notes_that_wait_for_long_stay_few() {
        let many = (0..10_000).fold(HealthChange::new(), |change, at| {
            change.cooled(throttled(at % 97)).ended(Kind::Throttled, Scope::Credential, None)
        });
        assert!(many.steps.len() <= 2, "{}", many.steps.len());
        let many = (0..10_000).fold(HealthChange::new(), |change, at| change.cooled(throttled(at % 97)));
        assert_eq!(many.steps, [HealthStep::Cooled(throttled(96))]);
        let many =
            (0..10_000).fold(HealthChange::new(), |change, _| change.answered(answered(429)).answered(answered(200)));
        assert_eq!(many.steps, [HealthStep::Answered(answered(200))]);
    }

    #[test]
    fn the_last_status_stays_whatever_is_ended() {
        let change = HealthChange::new().answered(answered(429)).cleared();
        assert_eq!(applied(&[&change]), Health { last_status: Some(answered(429)), ..Health::default() });
        assert_eq!(applied(&[&HealthChange::new().cleared()]).last_status, Some(answered(500)));
    }

    #[test]
    fn causes_scopes_and_models_cool_apart() {
        let change = HealthChange::new().cooled(throttled(20).with_model("large")).cooled(throttled(10));
        assert_eq!(applied(&[&change]).cooldowns, [throttled(25), throttled(20).with_model("large")]);
        let ended = change.ended(Kind::Throttled, Scope::Credential, None);
        assert_eq!(applied(&[&ended]).cooldowns, [throttled(20).with_model("large")]);
        assert_eq!(applied(&[&ended]).out, Some(OutReason::Revoked));
    }
}
