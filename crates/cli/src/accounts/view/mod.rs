//! The view of credentials that the command shows: a table for people, JSON for programs, and never a secret.
//!
//! It reads records and writes none. The view stands between record and output so that the JSON keeps its names when
//! the store's text changes.

use std::time::{Duration, SystemTime};

use oauth_marathon::Material;
use oauth_marathon::store::{Cooldown, Entry};
use oauth_marathon::verdict::{Kind, OutReason, Scope};
use serde::Serialize;

use crate::terminal::text::{ago, left, line, span};
use crate::terminal::{BAD, BOLD, CARE, DIM, GOOD};

/// The credentials of one provider in their order.
#[derive(Debug, Serialize)]
pub(super) struct ProviderView {
    pub(super) provider: String,
    pub(super) credentials: Vec<View>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: String,
    label: Option<String>,
    subject: Option<String>,
    kind: &'static str,
    /// Whether requests start with this credential.
    active: bool,
    state: State,
    /// Why it is out, or why it is cooling.
    reason: Option<String>,
    #[serde(rename = "restsForMs")]
    cooling_for_ms: Option<u64>,
    /// The last status that was noted.
    last_status: Option<u16>,
    last_status_at: Option<u64>,
    cooldowns: Vec<CooldownView>,
    expires_at: Option<u64>,
    refreshable: bool,
    refreshing: bool,
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ready,
    #[serde(rename = "resting")]
    Cooling,
    Out,
}

#[derive(Debug, Serialize)]
struct CooldownView {
    cause: String,
    model: Option<String>,
    until: u64,
    guessed: bool,
}

impl ProviderView {
    pub(super) fn of(provider: String, entries: &[Entry], now: SystemTime) -> Self {
        let mut credentials: Vec<_> = entries.iter().map(|entry| View::of(entry, now)).collect();
        if let Some(next) = credentials.iter_mut().find(|view| view.state == State::Ready) {
            next.active = true;
        }
        Self { provider, credentials }
    }
}

impl View {
    fn of(entry: &Entry, now: SystemTime) -> Self {
        let record = &entry.record;
        let credential = &record.credential;
        let lasting: Vec<_> = record.health.cooldowns.iter().filter(|cooldown| cooldown.until > now).collect();
        // A credential that cools for one model still serves the others.
        let whole =
            lasting.iter().filter(|cooldown| cooldown.scope != Scope::Model).max_by_key(|cooldown| cooldown.until);
        let (state, reason) = match (record.health.out, whole) {
            (Some(reason), _) => (State::Out, Some(reason_text(reason).to_owned())),
            (None, Some(cooldown)) => (State::Cooling, Some(cause_text(cooldown.cause).to_owned())),
            (None, None) => (State::Ready, None),
        };
        let tokens = credential.material().tokens();
        Self {
            id: credential.id().as_str().to_owned(),
            label: credential.label_ref().map(str::to_owned),
            subject: credential.subject_ref().map(str::to_owned),
            kind: if matches!(credential.material(), Material::Key(_)) { "key" } else { "oauth" },
            active: false,
            state,
            reason,
            cooling_for_ms: whole.and_then(|cooldown| left(cooldown.until, now)).map(millis),
            last_status: record.health.last_status.map(|last| last.status.as_u16()),
            last_status_at: record.health.last_status.map(|last| since_1970(last.at)),
            cooldowns: lasting.iter().map(|cooldown| CooldownView::of(cooldown)).collect(),
            expires_at: tokens.and_then(|tokens| tokens.expiry()).map(since_1970),
            refreshable: credential.material().refresh_token().is_some(),
            refreshing: record.intent.as_ref().is_some_and(|intent| intent.generation == record.generation),
            generation: record.generation.get(),
        }
    }

    fn state_cell(&self, now: SystemTime) -> Cell {
        let mut text = match (self.state, self.active) {
            (State::Ready, true) => "active".to_owned(),
            (State::Ready, false) => "ready".to_owned(),
            (State::Cooling, _) => {
                let left = Duration::from_millis(self.cooling_for_ms.unwrap_or(0));
                format!("cools {} ({})", span(left), self.reason.as_deref().unwrap_or("unknown"))
            }
            (State::Out, _) => format!("out: {}", self.reason.as_deref().unwrap_or("unknown")),
        };
        for cooldown in &self.cooldowns {
            if let Some(model) = &cooldown.model {
                let until = SystemTime::UNIX_EPOCH + Duration::from_millis(cooldown.until);
                let left = left(until, now).unwrap_or_default();
                text = format!("{text}; {} cools {} ({})", line(model), span(left), cooldown.cause);
            }
        }
        let style = match self.state {
            State::Ready => GOOD,
            State::Cooling => CARE,
            State::Out => BAD,
        };
        Cell { text, style }
    }

    fn last_cell(&self, now: SystemTime) -> Cell {
        let at = self.last_status_at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_millis(at));
        let text = match (self.last_status, at.and_then(|at| ago(at, now))) {
            (None, _) => "-".to_owned(),
            (Some(status), Some(ago)) => format!("{status}, {} ago", span(ago)),
            (Some(status), None) => status.to_string(),
        };
        Cell { text, style: DIM }
    }

    fn token_cell(&self, now: SystemTime) -> Cell {
        let expiry = self.expires_at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_millis(at));
        let no_refresh = if self.refreshable { "" } else { ", no refresh token" };
        let text = match expiry {
            _ if self.kind == "key" => "key".to_owned(),
            _ if self.refreshing => "a refresh has begun".to_owned(),
            None => format!("expiry unknown{no_refresh}"),
            Some(expiry) => match left(expiry, now) {
                Some(left) => format!("for {}{no_refresh}", span(left)),
                None => format!("expired{no_refresh}"),
            },
        };
        Cell { text, style: DIM }
    }
}

impl CooldownView {
    fn of(cooldown: &Cooldown) -> Self {
        Self {
            cause: cause_text(cooldown.cause).to_owned(),
            model: cooldown.model.clone(),
            until: since_1970(cooldown.until),
            guessed: cooldown.guessed,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn since_1970(time: SystemTime) -> u64 {
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn reason_text(reason: OutReason) -> &'static str {
    match reason {
        OutReason::Banned => "banned or to be verified",
        OutReason::Revoked => "log in again (login revoked)",
        OutReason::RefreshRefused => "log in again (refresh refused)",
        OutReason::RefreshLost => "log in again (a refresh was cut short)",
        _ => "out until a person acts",
    }
}

fn cause_text(cause: Kind) -> &'static str {
    match cause {
        Kind::Throttled => "rate limit",
        Kind::QuotaExhausted => "quota used up",
        Kind::Billing => "payment needed",
        Kind::Unauthorized => "token refused",
        Kind::Forbidden => "refused",
        Kind::Overloaded => "overloaded",
        Kind::Network => "network",
        _ => "failure",
    }
}

struct Cell {
    text: String,
    style: anstyle::Style,
}

/// The credentials of all these providers as a table.
pub(super) fn table(providers: &[ProviderView], now: SystemTime) -> String {
    let name =
        |text: Option<&str>| Cell { text: text.map_or_else(|| "-".to_owned(), line), style: anstyle::Style::new() };
    let heading = |text: &str| Cell { text: text.to_owned(), style: BOLD };
    let mut rows = vec![["PROVIDER", "ID", "LABEL", "SUBJECT", "STATE", "LAST", "TOKEN"].map(heading)];
    for provider in providers {
        rows.extend(provider.credentials.iter().map(|view| {
            let (label, subject) = (name(view.label.as_deref()), name(view.subject.as_deref()));
            let (state, last, token) = (view.state_cell(now), view.last_cell(now), view.token_cell(now));
            [name(Some(&provider.provider)), name(Some(&view.id)), label, subject, state, last, token]
        }));
    }
    let width = |cell: &Cell| cell.text.chars().count();
    let mut widths = [0; 7];
    for row in &rows {
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = width(cell).max(*most);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut gap = 0;
        for (cell, most) in row.iter().zip(widths) {
            let style = cell.style;
            text.push_str(&" ".repeat(gap));
            text.push_str(&format!("{style}{}{style:#}", cell.text));
            gap = most - width(cell) + 2;
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
