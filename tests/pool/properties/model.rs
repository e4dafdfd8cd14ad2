//! A small model of a pool: which credential each send of a request uses, and what the sends leave behind. It follows the
//! table of the README, one request at a time, and searches where the crate has an index.

use std::collections::BTreeMap;
use std::time::Duration;

use oauth_marathon::config::{Settings, WhenAllCooling};
use tokio::time::Instant;

pub(crate) type Id = String;

/// What the provider answers to one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Status(u16),
    /// 429, with a `Retry-After` of so many seconds.
    Limited(Option<u64>),
    /// The same, for the language model that the request asks for.
    PartLimited(Option<u64>),
    /// The connection breaks.
    Broken,
}

/// What the OAuth server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshOutcome {
    Refreshed,
    NotNow,
    Refused,
}

/// What was seen of a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) id: Id,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Sent(Outcome),
    Refreshed(RefreshOutcome),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Limited,
    Unpaid,
    Unauthorized,
    Forbidden,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cooldown {
    pub(crate) began: Instant,
    pub(crate) until: Instant,
    pub(crate) guessed: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) refreshable: bool,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) cooldowns: BTreeMap<Cause, Cooldown>,
    pub(crate) out: bool,
    pub(crate) lost: bool,
    pub(crate) expired: bool,
    pub(crate) forced: Option<Instant>,
    /// Until when no other refresh follows one that failed.
    pub(crate) paused: Option<Instant>,
    /// How many refreshes in a row failed.
    pub(crate) refusals: u32,
    /// How many server errors and broken connections it had in a row.
    pub(crate) faults: u32,
    /// Its last answer was a success.
    pub(crate) served: bool,
}

impl Account {
    pub(crate) fn until(&self) -> Option<Instant> {
        self.cooldowns.values().map(|cooldown| cooldown.until).max()
    }
}

/// A cooldown of an account for requests that ask for one language model.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) id: Id,
    pub(crate) asked: String,
    pub(crate) cooldown: Cooldown,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<Id, Account>,
    /// Those that are ready, front first.
    pub(crate) queue: Vec<Id>,
    /// Those that are cooling, in the order in which they were sent to.
    cooling: Vec<Id>,
    /// In the order in which they got their ends.
    pub(crate) parts: Vec<Part>,
    /// The language model that the request under way asks for; empty if it names none.
    pub(crate) asked: String,
    pub(crate) settings: Settings,
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            accounts: BTreeMap::new(),
            queue: Vec::new(),
            cooling: Vec::new(),
            parts: Vec::new(),
            asked: String::new(),
            settings,
        }
    }

    pub(crate) fn account(&self, id: &str) -> &Account {
        &self.accounts[id]
    }

    pub(crate) fn get(&mut self, id: &str) -> &mut Account {
        self.accounts.get_mut(id).expect("the model knows it")
    }

    pub(crate) fn is_ready(&self, id: &str) -> bool {
        self.queue.iter().any(|other| other == id)
    }

    /// Those that are ready, then those that are cooling by their recovery, then the others by name.
    pub(crate) fn order(&self) -> Vec<Id> {
        let out = self.accounts.iter().filter(|account| account.1.out).map(|account| account.0.clone());
        self.queue.iter().cloned().chain(self.cooling()).chain(out).collect()
    }

    pub(crate) fn cooling(&self) -> Vec<Id> {
        let mut cooling = self.cooling.clone();
        // Stable: those that recover together keep the order in which they came.
        cooling.sort_by_key(|id| self.account(id).until());
        cooling
    }

    /// The cooldown of an account for what the request asks for.
    fn part(&self, id: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.id == id && part.asked == self.asked)
    }

    /// Those that are ready for the request, front first.
    pub(crate) fn serving(&self) -> impl Iterator<Item = &Id> {
        self.queue.iter().filter(|id| self.part(id).is_none())
    }

    /// The first that recovers by itself for the request.
    pub(crate) fn first_to_recover(&self) -> Option<(Instant, Id)> {
        let mut ends: Vec<_> = self
            .cooling()
            .into_iter()
            .filter_map(|id| Some((self.account(&id).until().max(self.part(&id).map(|part| part.cooldown.until))?, id)))
            .collect();
        let parts = self.parts.iter().filter(|part| part.asked == self.asked && self.is_ready(&part.id));
        ends.extend(parts.map(|part| (part.cooldown.until, part.id.clone())));
        // Stable: of several that recover together, the one that came first.
        ends.into_iter().min_by_key(|end| end.0)
    }

    /// After three failures in a row that are not its own, an account that serves goes first.
    pub(crate) fn note_fault(&mut self, id: &str) {
        let account = self.get(id);
        account.faults += 1;
        let many = account.faults >= 3 && self.is_ready(id);
        let serves =
            |other: &&Id| other.as_str() != id && self.account(other).served && self.account(other).faults == 0;
        if many && self.serving().any(|other| serves(&other)) {
            self.move_to_back(id);
        }
    }

    pub(crate) fn move_to_back(&mut self, id: &str) {
        self.take_out(id);
        self.queue.push(id.to_owned());
    }

    fn take_out(&mut self, id: &str) {
        self.queue.retain(|other| other != id);
        self.cooling.retain(|other| other != id);
    }

    /// Those whose cooldown is over go to the back, the first to recover first.
    pub(crate) fn recover(&mut self, now: Instant) {
        while let Some(id) = self.cooling().into_iter().next()
            && self.account(&id).until() <= Some(now)
        {
            self.get(&id).cooldowns.clear();
            self.move_to_back(&id);
        }
        self.parts.retain(|part| part.cooldown.until > now);
    }

    /// For one cause the later end wins.
    pub(crate) fn cool(&mut self, id: &str, cause: Cause, length: Duration, guessed: bool, now: Instant) {
        let cooldown = Cooldown { began: now, until: now + length.min(self.settings.max_cooldown), guessed };
        let known = self.get(id).cooldowns.entry(cause).or_insert(cooldown);
        if known.until < cooldown.until {
            *known = cooldown;
        }
        self.put(id);
    }

    /// The same for what the request asks for alone: the account keeps its place in the order.
    pub(crate) fn cool_part(&mut self, id: &str, length: Duration, guessed: bool, now: Instant) {
        let cooldown = Cooldown { began: now, until: now + length.min(self.settings.max_cooldown), guessed };
        if self.part(id).is_none_or(|known| known.cooldown.until < cooldown.until) {
            self.end_part(id);
            self.parts.push(Part { id: id.to_owned(), asked: self.asked.clone(), cooldown });
        }
    }

    pub(crate) fn end_part(&mut self, id: &str) {
        self.parts.retain(|part| part.id != id || part.asked != self.asked);
    }

    /// Puts an account where its cooldowns say.
    pub(crate) fn put(&mut self, id: &str) {
        if self.account(id).out {
            self.take_out(id);
        } else if self.account(id).until().is_some() {
            self.take_out(id);
            self.cooling.push(id.to_owned());
        } else if !self.is_ready(id) {
            self.move_to_back(id);
        }
    }

    // What people do.

    pub(crate) fn add(&mut self, id: &str, refreshable: bool) {
        self.accounts.insert(id.to_owned(), Account { refreshable, ..Account::default() });
        self.move_to_back(id);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.take_out(id);
        self.clear_parts(id);
        self.accounts.remove(id);
    }

    /// A new secret: what was held against the old one does not count.
    pub(crate) fn new_secret(&mut self, id: &str) {
        let account = self.get(id);
        (account.out, account.lost, account.expired) = (false, false, false);
        (account.paused, account.refusals) = (None, 0);
        account.cooldowns.retain(|cause, _| !matches!(cause, Cause::Unauthorized | Cause::Forbidden));
        self.put(id);
    }

    pub(crate) fn clear_parts(&mut self, id: &str) {
        self.parts.retain(|part| part.id != id);
    }

    pub(crate) fn clear(&mut self, id: &str) {
        self.clear_parts(id);
        let account = self.get(id);
        account.cooldowns.clear();
        (account.out, account.paused) = (false, None);
        self.put(id);
    }

    /// Asks for a new token before the next use, but not twice a minute.
    pub(crate) fn invalidate(&mut self, id: &str, now: Instant) -> bool {
        let allowed = self.may_refresh(id, now);
        if allowed {
            let account = self.get(id);
            (account.expired, account.forced) = (true, Some(now));
        }
        allowed
    }

    pub(crate) fn may_refresh(&self, id: &str, now: Instant) -> bool {
        let account = self.account(id);
        let recently = account.forced.is_some_and(|forced| now < forced + Duration::from_secs(60));
        account.refreshable && !account.lost && (account.expired || !recently)
    }

    /// What the OAuth server said.
    pub(crate) fn refreshed(&mut self, id: &str, outcome: RefreshOutcome, now: Instant) {
        match outcome {
            RefreshOutcome::Refreshed => self.new_secret(id),
            RefreshOutcome::NotNow => {
                let account = self.get(id);
                let pause = Duration::from_secs(30 << account.refusals.min(7)).min(Duration::from_secs(3_600));
                account.paused = Some(now + pause);
                account.refusals += 1;
                self.cool(id, Cause::Unauthorized, pause, true, now);
            }
            RefreshOutcome::Refused => {
                let account = self.get(id);
                (account.out, account.lost) = (true, true);
                self.put(id);
            }
        }
    }

    /// Whether its token is of no use, and could not be replaced a moment ago: a probe would find nothing
    /// else.
    pub(crate) fn is_paused(&self, id: &str, now: Instant) -> bool {
        let account = self.account(id);
        account.refreshable && account.expired && !account.lost && account.paused.is_some_and(|until| until > now)
    }

    /// Whether a cooling account may be tried before its time.
    pub(crate) fn may_probe(&self, id: &str, now: Instant) -> bool {
        let half_over = |cooldown: &Cooldown| cooldown.guessed && now - cooldown.began >= cooldown.until - now;
        match self.settings.when_all_cooling {
            WhenAllCooling::Probe => true,
            WhenAllCooling::Answer => {
                let cooldowns = self.account(id).cooldowns.values().chain(self.part(id).map(|part| &part.cooldown));
                cooldowns.filter(|cooldown| cooldown.until > now).all(half_over)
            }
            _ => false,
        }
    }
}
