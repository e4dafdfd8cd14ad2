//! The types in which a scenario is written.

use oauth_marathon::config::Settings;
use oauth_marathon::verdict::Answer;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon::{ErrorKind, Pool};

use crate::adapters::Adapter;
use crate::provider::{Reply, Script};

/// Whose behaviour it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// opencode's rotation, in which all this began.
    Opencode,
    /// codex's form of it.
    Codex,
    /// Our own.
    Design,
}

/// One account of the pool. Its token is its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) is_key: bool,
    pub(crate) refresh: bool,
    pub(crate) expired: bool,
    /// The header of a key, and the word before the key.
    pub(crate) header: &'static str,
    pub(crate) scheme: Option<&'static str>,
    pub(crate) extra: Option<(&'static str, &'static str)>,
    pub(crate) base: Base,
}

/// Where an account's requests go.
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

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Another place than the provider.
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
    /// An answer whose body breaks off.
    CutOff(u16),
    /// An error of ours.
    Fails(ErrorKind),
    /// An error of the connection.
    Breaks,
}

/// What a call comes to, with the log of its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) gets: Gets,
    /// `-` stands for no credential: the answer came from the pool's memory.
    pub(crate) log: Vec<(&'static str, Kind)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// What `Retry-After` says, less the time that has passed.
    pub(crate) retry_after: Option<u64>,
}

pub(crate) fn outcome<const N: usize>(gets: Gets, log: [(&'static str, Kind); N]) -> Outcome {
    Outcome { gets, log: log.into(), headers: Vec::new(), retry_after: None }
}

/// An answer.
pub(crate) fn gets<const N: usize>(status: u16, body: impl Into<String>, log: [(&'static str, Kind); N]) -> Outcome {
    outcome(Gets::Answer(status, body.into()), log)
}

/// The usual answer to the account that comes last in the log.
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

/// What happens, one after the other.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ask(Call, Outcome),
    /// The caller goes away once the provider has the request.
    Abandon(Call),
    /// The account's cooldown ends by itself.
    Recovers(&'static str),
    /// A change of the pool.
    Do(fn(&Pool)),
}

/// How an account stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stands {
    /// For that many seconds, less the time that has passed.
    Cools(Kind, u64),
    Out(OutReason),
}

/// How everything is at the end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End {
    /// The tokens that the provider saw, in order.
    pub(crate) seen: &'static [&'static str],
    /// What one request carried: its place, a header or `:method`, `:path`, `:body`, and the value.
    pub(crate) carried: &'static [(usize, &'static str, &'static str)],
    pub(crate) token_requests: usize,
    pub(crate) order: &'static [&'static str],
    /// All others are ready.
    pub(crate) standing: &'static [(&'static str, Stands)],
    /// All others have none.
    pub(crate) failures: &'static [(&'static str, u64)],
    pub(crate) events: &'static [&'static str],
}

/// One story, with what is expected of it whatever carries the requests.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    pub(crate) accounts: Vec<Account>,
    pub(crate) settings: fn(&mut Settings),
    pub(crate) classifier: Option<fn(&Answer<'_>) -> Option<Verdict>>,
    /// By token.
    pub(crate) provider: Script,
    /// By refresh token; without it there is no token endpoint.
    pub(crate) endpoint: Option<Script>,
    /// No server listens at the provider's address.
    pub(crate) is_closed: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) differences: Vec<Difference>,
}

/// What one adapter cannot do as the others do, and why.
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
    /// What the provider answers to this token, one after the other; the last is repeated. Others are served.
    pub(crate) fn meets<const N: usize>(mut self, token: &'static str, replies: [Reply; N]) -> Self {
        self.provider.push((token, replies.into()));
        self
    }

    /// There is a token endpoint, which makes `a+` and `refresh-a+` of `refresh-a`.
    pub(crate) fn refreshable(mut self) -> Self {
        self.endpoint.get_or_insert_default();
        self
    }

    /// What the token endpoint answers to this refresh token.
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

    /// As it is for one adapter.
    pub(crate) fn told_for(&self, adapter: Adapter) -> Self {
        let mut scenario = self.clone();
        for difference in self.differences.iter().filter(|difference| difference.adapter == adapter) {
            (difference.expect)(&mut scenario);
        }
        scenario
    }
}
