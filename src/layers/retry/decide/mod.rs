//! Decides what follows an attempt: one pure function.

use std::time::{Duration, Instant};

use crate::config::{OnBan, Resend, Settings, WhenAllCooling};
use crate::context::{Attempt, Call, Next};
use crate::verdict::{Kind, Lost, Processed, Verdict};

/// The pause before a resend to a provider that failed; jitter makes it shorter, by half at most.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest pause that an overloaded provider can ask for before the same credential is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The first pause after a failed connection; jitter makes it shorter, by half at most. Each further one is twice as long.
const NETWORK_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause after a failed connection.
const LONGEST_NETWORK_PAUSE: Duration = Duration::from_secs(1);

/// The least time from the beginning of one round to the beginning of the next.
const ROUND: Duration = Duration::from_secs(1);

/// What the settings say about resends: how many, how long, and whether at all.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The most credentials for one round.
    pub(crate) max_attempts: usize,
    pub(crate) network_retries: usize,
    pub(crate) max_wait: Duration,
    pub(crate) waits: bool,
    pub(crate) safe: bool,
    pub(crate) carries_bans: bool,
    pub(crate) attempt_timeout: Option<Duration>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            max_attempts: settings.most_attempts(),
            network_retries: settings.network_retry_attempts as usize,
            max_wait: settings.max_wait,
            waits: settings.when_all_cooling == WhenAllCooling::Wait,
            safe: settings.resend == Resend::Safe,
            carries_bans: settings.on_ban == OnBan::Next,
            attempt_timeout: settings.attempt_timeout,
        }
    }
}

/// What the decision needs to know beside the attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) round_began: Instant,
    /// The time since the request first waited for a recovery, including the attempts between its waits.
    pub(crate) waited: Duration,
    /// Whether the request may safely be processed twice: its method is idempotent, or it carries a key.
    pub(crate) idempotent: bool,
    /// A random number from 0 to 1.
    pub(crate) jitter: f64,
}

impl Situation {
    /// A time between half of `pause` and all of it.
    fn jittered(&self, pause: Duration) -> Duration {
        pause.mul_f64(0.5 + 0.5 * self.jitter.clamp(0.0, 1.0))
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        self.deadline.is_none_or(|deadline| pause < deadline.saturating_duration_since(self.now))
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Stop,
    /// Stop although another credential is ready, because the request has used as many as it may.
    Enough,
    /// The same credential, after this pause.
    Same(Duration),
    /// The next credential, after this pause.
    Next(Duration),
    /// Wait until then, and begin a new round.
    Wait(Instant),
}

/// Decides what follows the last attempt. `pay` withdraws from the pool's budget; it is called only before a resend to a
/// failing provider.
pub(crate) fn decide(limits: &Limits, call: &Call, situation: &Situation, pay: impl FnMut() -> bool) -> Decision {
    let Some(last) = call.last() else { return Decision::Stop };
    let Some(verdict) = last.verdict else { return Decision::Stop };
    if limits.safe && verdict.processed() == Processed::Maybe && !situation.idempotent {
        return Decision::Stop;
    }
    if situation.deadline.is_some_and(|deadline| deadline <= situation.now) {
        return Decision::Stop;
    }
    let case = Case { limits, call, last, verdict, situation };
    match verdict.kind() {
        Kind::Success | Kind::Rejected | Kind::Canceled => Decision::Stop,
        Kind::Banned if !limits.carries_bans => Decision::Stop,
        Kind::Network => case.network(pay),
        Kind::Overloaded | Kind::ServerError => case.server_error(pay),
        _ => case.go_on(),
    }
}

/// A failure, with everything that the decision depends on.
struct Case<'a> {
    limits: &'a Limits,
    call: &'a Call,
    last: &'a Attempt,
    verdict: Verdict,
    situation: &'a Situation,
}

impl Case<'_> {
    /// Decides after a failed connection. The first connection that breaks before an answer may have been an old one,
    /// so a new one is tried at once and costs nothing. Later attempts follow a pause. After an answer that did not
    /// come in time there is no pause, because the time spent was one. A request that was not sent adds no load.
    fn network(&self, mut pay: impl FnMut() -> bool) -> Decision {
        if self.verdict.lost() == Some(Lost::Unsent) {
            return self.go_on();
        }
        let spent = self.call.has_spent_network_resends(self.limits.network_retries);
        if self.call.first_break() == Some(self.last.number) {
            return if spent { self.go_on() } else { Decision::Same(Duration::ZERO) };
        }
        if self.verdict.lost() == Some(Lost::TimedOut) {
            return self.step(Duration::ZERO, pay);
        }
        let doubled = NETWORK_PAUSE.saturating_mul(1 << self.call.network_pauses().min(8));
        let pause = self.situation.jittered(doubled.min(LONGEST_NETWORK_PAUSE));
        if !spent && self.situation.has_time_for(pause) && pay() {
            return Decision::Same(pause);
        }
        self.step(pause, pay)
    }

    /// Decides after a server error, which is not the credential's fault: once more with the same credential, then with
    /// one other credential, then the answer stands.
    fn server_error(&self, mut pay: impl FnMut() -> bool) -> Decision {
        let failed = |attempt: &&Attempt| attempt.verdict.is_some_and(|verdict| verdict.is_server_error());
        let failures: Vec<_> = self.call.round().filter(failed).collect();
        let pause = self.verdict.stated_pause().unwrap_or_default().max(self.situation.jittered(BACKOFF));
        if failures.len() == 1 && pause <= LONGEST_BACKOFF && self.situation.has_time_for(pause) && pay() {
            return Decision::Same(pause);
        }
        let one_credential = failures.iter().all(|failure| failure.credential == self.last.credential);
        match self.last.next {
            Some(Next::Now) if one_credential => self.step(Duration::ZERO, pay),
            _ => Decision::Stop,
        }
    }

    /// Fails over although that adds load to a failing provider. One such step of a request is free, if the next
    /// credential's last answer was a success.
    fn step(&self, pause: Duration, mut pay: impl FnMut() -> bool) -> Decision {
        match self.go_on() {
            Decision::Next(_) => {
                let free = || self.call.next_serves && !self.call.has_stepped();
                let goes = self.situation.has_time_for(pause) && (free() || pay());
                if goes { Decision::Next(pause) } else { Decision::Stop }
            }
            other => other,
        }
    }

    fn go_on(&self) -> Decision {
        match self.last.next {
            Some(Next::Same) => Decision::Same(Duration::ZERO),
            Some(Next::Now) if self.call.used().len() < self.limits.max_attempts => Decision::Next(Duration::ZERO),
            Some(Next::Now) => Decision::Enough,
            Some(Next::At(when)) if self.limits.waits => {
                let Situation { now, deadline, round_began, waited, .. } = *self.situation;
                let when = when.max(round_began + ROUND);
                let wait = when.saturating_duration_since(now);
                let in_time = deadline.is_none_or(|deadline| when < deadline);
                let patient = waited.saturating_add(wait) <= self.limits.max_wait;
                if in_time && patient { Decision::Wait(when) } else { Decision::Stop }
            }
            Some(Next::At(_) | Next::Never) | None => Decision::Stop,
        }
    }
}

#[cfg(test)]
mod tests;
