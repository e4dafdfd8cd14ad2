//! Follows one request through the model, send by send.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use oauth_marathon::config::WhenAllCooling;
use tokio::time::Instant;

use super::model::{Cause, Id, Model, Outcome, Seen, What};

/// What the model expects to happen next.
#[derive(Debug, Clone, PartialEq)]
enum Plan {
    /// The next account that this round has not used.
    Next,
    Same(Id),
    Wait(Instant),
    Stop,
}

#[derive(Debug, PartialEq)]
enum Pick {
    Send(Id),
    Refresh(Id),
    /// No account, until then.
    Nobody(Option<Instant>),
}

/// One round over the accounts.
#[derive(Debug, Default)]
struct Round {
    sent: Vec<(Id, Outcome)>,
    refreshed: BTreeSet<Id>,
    /// Refused with 403, and to cool if another one is not.
    suspect: Option<Id>,
    /// Whose connection was the first to break: that one does not count.
    first_break: Option<Id>,
    began: Option<Instant>,
}

impl Round {
    fn tried(&self, id: &str) -> bool {
        self.sent.iter().any(|sent| sent.0 == id)
    }

    fn count(&self, id: &str, is: impl Fn(Outcome) -> bool) -> usize {
        self.sent.iter().filter(|sent| sent.0 == id && is(sent.1)).count()
    }
}

fn is_server_error(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Status(500..))
}

fn is_limit(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Limited(_) | Outcome::PartLimited(_))
}

/// Checks what was seen of a request that ran from `begun` to `ended`, and changes the model accordingly.
pub(crate) fn replay(model: &mut Model, seen: &[Seen], begun: Instant, ended: Instant) -> Result<(), String> {
    let mut replay = Replay {
        round: Round::default(),
        now: begun,
        waiting_since: None,
        just_refreshed: None,
        has_broken: false,
        lost: 0,
        pause: 0..=0,
    };
    let mut events = seen.iter().peekable();
    let mut plan = Plan::Next;
    loop {
        let at = events.peek().map_or(ended, |event| event.at);
        match &plan {
            Plan::Stop => break,
            Plan::Wait(until) if at < *until || at > *until + Duration::from_millis(1) => {
                return Err(format!("waited until {at:?} instead of {until:?}"));
            }
            Plan::Wait(_) => replay.now = at,
            Plan::Next | Plan::Same(_) if replay.pause == (0..=0) => {}
            Plan::Next | Plan::Same(_) => {
                if !replay.pause.contains(&(at - replay.now).as_millis()) {
                    return Err(format!("a pause of {:?} instead of {:?}", at - replay.now, replay.pause));
                }
                replay.now = at;
            }
        }
        replay.pause = 0..=0;
        plan = match (replay.pick(model, &plan), events.peek()) {
            (Pick::Nobody(until), _) => replay.nobody(model, until),
            (_, Some(_)) if at != replay.now => return Err(format!("{plan:?} took {:?}", at - replay.now)),
            (Pick::Send(id), Some(Seen { id: used, what: What::Sent(outcome), .. })) if id == *used => {
                events.next();
                replay.settle(model, &id, *outcome)
            }
            (Pick::Refresh(id), Some(Seen { id: used, what: What::Refreshed(outcome), .. })) if id == *used => {
                events.next();
                model.refreshed(&id, *outcome, replay.now);
                replay.just_refreshed = Some(id.clone());
                Plan::Same(id)
            }
            (pick, event) => return Err(format!("{plan:?}: expected {pick:?}, but saw {event:?}")),
        };
    }
    match events.next() {
        Some(event) => Err(format!("expected no more, but saw {event:?}")),
        None => Ok(()),
    }
}

struct Replay {
    round: Round,
    now: Instant,
    waiting_since: Option<Instant>,
    /// Whose new token, or whose old one for want of a new one, is used now.
    just_refreshed: Option<Id>,
    /// A connection has broken before.
    has_broken: bool,
    /// How many have broken after that.
    lost: u32,
    /// The milliseconds until the next send.
    pause: RangeInclusive<u128>,
}

impl Replay {
    fn pick(&mut self, model: &mut Model, plan: &Plan) -> Pick {
        model.recover(self.now);
        let same = match plan {
            Plan::Same(id) => Some(id).filter(|id| model.serving().any(|other| other == *id)),
            _ => None,
        };
        // Where as many were used as may be, no other one takes its place.
        let bound = matches!(plan, Plan::Same(_)) && self.within_limit(model) == Plan::Stop;
        if bound && same.is_none() {
            return Pick::Nobody(None);
        }
        let ready = same.or_else(|| model.serving().find(|id| !self.round.tried(id))).cloned();
        // One that was limited in this round, and is back before the round is over.
        let has_recovered = model.serving().any(|id| self.round.count(id, is_limit) > 0);
        let picked = match (ready, model.first_to_recover()) {
            (Some(id), _) => id,
            (None, _) if has_recovered => return Pick::Nobody(Some(self.now)),
            (None, None) => return Pick::Nobody(None),
            (None, Some((until, first))) => {
                let shows_something = |id: &Id| !self.round.tried(id) && !model.is_paused(id, self.now);
                let probed = std::iter::once(first).chain(model.cooling()).find(shows_something);
                let may_probe = |id: &Id| model.serving().next().is_none() && model.may_probe(id, self.now);
                match probed.filter(may_probe) {
                    Some(id) => id,
                    None => return Pick::Nobody(Some(until)),
                }
            }
        };
        let account = model.account(&picked);
        let refresh = account.refreshable && account.expired && !account.lost;
        if refresh && self.just_refreshed.as_ref() != Some(&picked) {
            Pick::Refresh(picked)
        } else {
            Pick::Send(picked)
        }
    }

    fn waited(&self) -> Duration {
        self.waiting_since.map_or(Duration::ZERO, |since| self.now - since)
    }

    /// Waits for the first to recover, if that is wanted and near enough.
    fn nobody(&mut self, model: &Model, until: Option<Instant>) -> Plan {
        let began = *self.round.began.get_or_insert(self.now);
        let until = until.map(|until| until.max(began + Duration::from_secs(1)));
        let wait = until.map(|until| until - self.now);
        match wait {
            Some(wait)
                if model.settings.when_all_cooling == WhenAllCooling::Wait
                    && self.waited() + wait <= model.settings.max_wait =>
            {
                self.waiting_since.get_or_insert(self.now);
                self.round = Round { began: Some(self.now + wait), ..Round::default() };
                self.just_refreshed = None;
                Plan::Wait(self.now + wait)
            }
            _ => Plan::Stop,
        }
    }

    /// What an outcome does to the account, and what the request does next.
    fn settle(&mut self, model: &mut Model, id: &Id, outcome: Outcome) -> Plan {
        let now = self.now;
        self.just_refreshed = None;
        self.round.sent.push((id.clone(), outcome));
        if outcome != Outcome::Status(200) {
            self.round.began.get_or_insert(now);
        }
        if outcome != Outcome::Broken {
            model.get(id).served = outcome == Outcome::Status(200);
        }
        if !is_server_error(outcome) && outcome != Outcome::Broken {
            model.get(id).faults = 0;
        }
        if matches!(outcome, Outcome::Status(200 | 400))
            && let Some(suspect) = self.round.suspect.take_if(|suspect| suspect != id)
        {
            model.get(&suspect).failures += 1;
            model.cool(&suspect, Cause::Forbidden, model.settings.auth_failure_cooldown, true, now);
        }
        match outcome {
            Outcome::Status(200) => {
                model.get(id).successes += 1;
                let cooldowns = &mut model.get(id).cooldowns;
                let before = cooldowns.len();
                cooldowns.retain(|cause, _| !matches!(cause, Cause::Limited | Cause::Unpaid));
                if cooldowns.len() < before {
                    model.put(id);
                }
                model.end_part(id);
                Plan::Stop
            }
            Outcome::Status(401) => self.unauthorized(model, id),
            Outcome::Status(402) => {
                model.get(id).failures += 1;
                model.cool(id, Cause::Unpaid, model.settings.payment_cooldown, true, now);
                self.go_on(model)
            }
            Outcome::Status(403) => self.forbidden(model, id),
            Outcome::Status(500..) => {
                model.note_fault(id);
                self.server_error(model, id)
            }
            Outcome::Status(_) => Plan::Stop,
            Outcome::Limited(seconds) => {
                model.get(id).failures += 1;
                match seconds {
                    // No time at all is a second at the least.
                    Some(seconds) => model.cool(id, Cause::Limited, Duration::from_secs(seconds.max(1)), false, now),
                    None => model.cool(id, Cause::Limited, model.settings.rate_limit_cooldown, true, now),
                }
                self.go_on(model)
            }
            Outcome::PartLimited(seconds) => {
                model.get(id).failures += 1;
                match seconds {
                    Some(seconds) => model.cool_part(id, Duration::from_secs(seconds.max(1)), false, now),
                    None => model.cool_part(id, model.settings.rate_limit_cooldown, true, now),
                }
                self.go_on(model)
            }
            Outcome::Broken => self.broken(model, id),
        }
    }

    /// The first is tried again at once. After that there is a growing pause before each further try.
    fn broken(&mut self, model: &mut Model, id: &Id) -> Plan {
        model.get(id).failures += 1;
        let first = !std::mem::replace(&mut self.has_broken, true);
        if first {
            self.round.first_break = Some(id.clone());
        }
        let free = usize::from(self.round.first_break.as_ref() == Some(id));
        let retries = model.settings.network_retry_attempts as usize;
        let spent = retries == 0 || self.round.count(id, |outcome| outcome == Outcome::Broken) - free > retries;
        if spent && model.is_ready(id) {
            model.move_to_back(id);
        }
        model.note_fault(id);
        let plan = if spent { self.go_on(model) } else { Plan::Same(id.clone()) };
        if !first {
            let longest = (250 << self.lost).min(1_000);
            self.lost += 1;
            if !matches!(plan, Plan::Wait(_) | Plan::Stop) {
                self.pause = longest / 2..=longest + 1;
            }
        }
        plan
    }

    fn unauthorized(&mut self, model: &mut Model, id: &Id) -> Plan {
        model.get(id).failures += 1;
        if self.may_refresh(model, id) {
            return self.refresh(model, id);
        }
        if model.account(id).lost {
            model.get(id).out = true;
            model.put(id);
        } else {
            model.cool(id, Cause::Unauthorized, model.settings.auth_failure_cooldown, true, self.now);
        }
        self.go_on(model)
    }

    /// Two that are refused alike, or one alone, show that the request is at fault.
    fn forbidden(&mut self, model: &mut Model, id: &Id) -> Plan {
        if self.round.suspect.as_ref().is_some_and(|suspect| suspect != id) {
            return Plan::Stop;
        }
        if self.may_refresh(model, id) {
            model.get(id).failures += 1;
            return self.refresh(model, id);
        }
        let plan = self.another(model);
        if plan == Plan::Next {
            self.round.suspect = Some(id.clone());
            return self.within_limit(model);
        }
        Plan::Stop
    }

    /// Once more over the same account, then one failover, then the answer stands.
    fn server_error(&mut self, model: &mut Model, id: &Id) -> Plan {
        let failed: Vec<_> = self.round.sent.iter().filter(|sent| is_server_error(sent.1)).collect();
        match failed.len() {
            1 => {
                self.pause = 250..=501;
                Plan::Same(id.clone())
            }
            _ if failed.iter().all(|sent| sent.0 == *id) && self.another(model) == Plan::Next => {
                self.within_limit(model)
            }
            _ => Plan::Stop,
        }
    }

    fn may_refresh(&self, model: &Model, id: &Id) -> bool {
        model.may_refresh(id, self.now) && !self.round.refreshed.contains(id)
    }

    fn refresh(&mut self, model: &mut Model, id: &Id) -> Plan {
        let account = model.get(id);
        (account.expired, account.forced) = (true, Some(self.now));
        self.round.refreshed.insert(id.clone());
        Plan::Same(id.clone())
    }

    /// Another account, or a wait for one.
    fn go_on(&mut self, model: &mut Model) -> Plan {
        match self.another(model) {
            Plan::Next => self.within_limit(model),
            _ => {
                model.recover(self.now);
                self.nobody(model, model.first_to_recover().map(|first| first.0))
            }
        }
    }

    fn another(&self, model: &mut Model) -> Plan {
        model.recover(self.now);
        if model.serving().any(|id| !self.round.tried(id)) { Plan::Next } else { Plan::Stop }
    }

    fn within_limit(&self, model: &Model) -> Plan {
        let used: BTreeSet<_> = self.round.sent.iter().map(|sent| &sent.0).collect();
        let most = model.settings.max_attempts.map_or(16, |most| most.get() as usize);
        if used.len() < most { Plan::Next } else { Plan::Stop }
    }
}
