//! The types in which a scenario is written.

use oauth_marathon::config::Settings;
use oauth_marathon::verdict::Answer;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon::{ErrorKind, Pool};

use crate::adapters::Adapter;
use crate::provider::{Reply, Script};

/// Where the expected behaviour comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// opencode's rotation of accounts, which this crate began with.
    Opencode,
    /// The same rotation as codex has it.
    Codex,
    /// This crate's own rules.
    Design,
}

/// One account of the pool. Its token is its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) is_key: bool,
    pub(crate) refresh: bool,
    pub(crate) expired: bool,
    /// The header of the key, and the word before the key.
    pub(crate) header: &'static str,
    pub(crate) scheme: Option<&'static str>,
    pub(crate) extra: Option<(&'static str, &'static str)>,
    pub(crate) base: Base,
}

/// The base URL of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base {
    Shared,
    /// A path of its own at the provider.
    Path(&'static str),
    /// An address of its own on which no server listens.
    Closed,
}

/// An account that logged in: its refresh token is `refresh-` and its id.
pub(crate) const fn login(id: &'static str) -> Account {
    let (header, scheme, extra, base) = ("authorization", None, None, Base::Shared);
    Account { id, is_key: false, refresh: true, expired: false, header, scheme, extra, base }
}

/// A static key, sent in a header of its own.
pub(crate) const fn key(id: &'static str) -> Account {
    Account { is_key: true, refresh: false, header: "x-api-key", ..login(id) }
}

/// A call of the caller: what is sent, and where.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Another origin than the provider's.
    pub(crate) to: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    /// In chunks, with an unknown length.
    pub(crate) streamed: bool,
    pub(crate) pin: Option<&'static str>,
    pub(crate) within_seconds: Option<u64>,
}

pub(crate) fn post() -> Call {
    let (to, pin, within_seconds) = (None, None, None);
    let (path, headers, body) = ("/v1/chat", Vec::new(), "hello".to_owned());
    Call { method: "POST", path, to, headers, body, streamed: false, pin, within_seconds }
}

pub(crate) fn get() -> Call {
    Call { method: "GET", path: "/v1/models?limit=5", body: String::new(), ..post() }
}

impl Call {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gets {
    Answer(u16, String),
    /// An answer of this status whose body breaks off.
    CutOff(u16),
    /// An error of this crate.
    Fails(ErrorKind),
    /// An error of the connection, which is not of this crate.
    Breaks,
}

/// The expected outcome of a call, with the log of its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) gets: Gets,
    /// The credential and kind of each attempt; `-` stands for an answer from the pool's memory.
    pub(crate) log: Vec<(&'static str, Kind)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// The value of `Retry-After`, less the time that has passed.
    pub(crate) retry_after: Option<u64>,
}

pub(crate) fn outcome<const N: usize>(gets: Gets, log: [(&'static str, Kind); N]) -> Outcome {
    Outcome { gets, log: log.into(), headers: Vec::new(), retry_after: None }
}

/// Expects an answer.
pub(crate) fn gets<const N: usize>(status: u16, body: impl Into<String>, log: [(&'static str, Kind); N]) -> Outcome {
    outcome(Gets::Answer(status, body.into()), log)
}

/// Expects the default answer to the last account in the log.
pub(crate) fn served<const N: usize>(log: [(&'static str, Kind); N]) -> Outcome {
    let by = log.last().expect("an attempt").0;
    gets(200, format!("hello from {by}"), log)
}

impl Outcome {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// A step of a scenario.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ask(Call, Outcome),
    /// A call whose caller goes away once the provider has the request.
    Abandon(Call),
    /// Waits until the account's cooldown has ended by itself.
    Recovers(&'static str),
    /// A change of the pool.
    Do(fn(&Pool)),
}

/// The expected standing of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stands {
    /// Cooling, for this many seconds less the time that has passed.
    Cools(Kind, u64),
    Out(OutReason),
}

/// What is expected at the end of a scenario.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End {
    /// The tokens that the provider saw, in order.
    pub(crate) seen: &'static [&'static str],
    /// Parts of recorded requests: the request's index, a header or `:method`, `:path`, `:body`, and the value.
    pub(crate) carried: &'static [(usize, &'static str, &'static str)],
    pub(crate) token_requests: usize,
    pub(crate) order: &'static [&'static str],
    /// The standing of accounts; all others are ready.
    pub(crate) standing: &'static [(&'static str, Stands)],
    /// The failures of accounts; all others have none.
    pub(crate) failures: &'static [(&'static str, u64)],
    pub(crate) events: &'static [&'static str],
}

/// One scenario: a pool, a provider, steps, and what is expected, through any adapter.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    pub(crate) accounts: Vec<Account>,
    pub(crate) settings: fn(&mut Settings),
    pub(crate) classifier: Option<fn(&Answer<'_>) -> Option<Verdict>>,
    /// The provider's replies by token.
    pub(crate) provider: Script,
    /// The token endpoint's replies by refresh token. Without it there is no token endpoint.
    pub(crate) endpoint: Option<Script>,
    /// No server listens at the provider's address.
    pub(crate) is_closed: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) differences: Vec<Difference>,
}

/// A difference that one adapter cannot avoid, and why.
#[derive(Clone, Copy)]
pub(crate) struct Difference {
    pub(crate) adapter: Adapter,
    pub(crate) reason: &'static str,
    pub(crate) expect: fn(&mut Scenario),
}

pub(crate) fn scenario<const N: usize>(name: &'static str, table: Table, accounts: [Account; N]) -> Scenario {
    let (provider, steps, differences) = (Script::new(), Vec::new(), Vec::new());
    let (settings, end): (fn(&mut Settings), _) = (|_| {}, End::default());
    let (classifier, endpoint, is_closed, accounts) = (None, None, false, accounts.into());
    Scenario { name, table, accounts, settings, classifier, provider, endpoint, is_closed, steps, end, differences }
}

impl Scenario {
    /// Adds the provider's replies to a token, in turn; the last is repeated. Other tokens get the default answer.
    pub(crate) fn meets<const N: usize>(mut self, token: &'static str, replies: [Reply; N]) -> Self {
        self.provider.push((token, replies.into()));
        self
    }

    /// Adds a token endpoint that gives `a+` and `refresh-a+` for `refresh-a`.
    pub(crate) fn refreshable(mut self) -> Self {
        self.endpoint.get_or_insert_default();
        self
    }

    /// Adds the token endpoint's replies to a refresh token.
    pub(crate) fn endpoint<const N: usize>(mut self, refresh: &'static str, replies: [Reply; N]) -> Self {
        self.endpoint.get_or_insert_default().push((refresh, replies.into()));
        self
    }

    pub(crate) fn closed(self) -> Self {
        Self { is_closed: true, ..self }
    }

    pub(crate) fn set(self, settings: fn(&mut Settings)) -> Self {
        Self { settings, ..self }
    }

    pub(crate) fn classifier(self, classifier: fn(&Answer<'_>) -> Option<Verdict>) -> Self {
        Self { classifier: Some(classifier), ..self }
    }

    pub(crate) fn ask(self, call: Call, outcome: Outcome) -> Self {
        self.step(Step::Ask(call, outcome))
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(crate) fn ends(self, end: End) -> Self {
        Self { end, ..self }
    }

    pub(crate) fn differs(mut self, adapter: Adapter, reason: &'static str, expect: fn(&mut Self)) -> Self {
        self.differences.push(Difference { adapter, reason, expect });
        self
    }

    /// The scenario as it is expected through one adapter.
    pub(crate) fn told_for(&self, adapter: Adapter) -> Self {
        let mut scenario = self.clone();
        for difference in self.differences.iter().filter(|difference| difference.adapter == adapter) {
            (difference.expect)(&mut scenario);
        }
        scenario
    }
}
