//! One event of each kind, for the tests of this module.

use std::time::Duration;

use http::StatusCode;

use super::{Account, Event};
use crate::credentials::Generation;
use crate::error::TimeLimit;
use crate::verdict::{Kind, OutReason};

pub(super) fn account(name: &str) -> Account {
    Account { id: name.into(), label: format!("{name} account").into() }
}

pub(super) fn failed_over(kind: Kind, status: Option<u16>) -> Event {
    Event::FailedOver {
        provider: "openai".into(),
        from: account("work"),
        to: account("home"),
        status: status.map(|status| StatusCode::from_u16(status).unwrap()),
        kind,
        shown_for: Duration::from_secs(8),
    }
}

pub(super) fn recovered() -> Event {
    Event::Recovered { provider: "openai".into(), credential: account("work"), model: None }
}

/// An event with a number, so that order and loss show.
pub(crate) fn canceled(attempts: usize) -> Event {
    Event::Canceled { attempts, credential: Some("work".into()) }
}

pub(super) fn out(reason: OutReason) -> Event {
    Event::Out { provider: "openai".into(), credential: account("work"), reason }
}

pub(super) fn exhausted(retry_after: Option<Duration>) -> Event {
    Event::Exhausted { provider: "openai".into(), retry_after, model: None }
}

pub(super) fn all() -> Vec<Event> {
    vec![
        failed_over(Kind::Throttled, Some(429)),
        Event::CoolingDown {
            provider: "openai".into(),
            credential: account("work"),
            kind: Kind::Throttled,
            cooldown: Duration::from_secs(30),
            model: None,
        },
        recovered(),
        out(OutReason::RefreshRefused),
        exhausted(Some(Duration::from_secs(90))),
        Event::AttemptsUsedUp { provider: "openai".into(), tried: 16, status: Some(StatusCode::TOO_MANY_REQUESTS) },
        Event::Refreshed {
            provider: "openai".into(),
            credential: account("work"),
            generation: Generation::FIRST.next(),
        },
        Event::RefreshFailed {
            provider: "openai".into(),
            credential: account("work"),
            message: "the token endpoint answered 503".into(),
        },
        Event::StoreFailed {
            provider: "openai".into(),
            credential: Some(account("work")),
            message: "the disk is full".into(),
        },
        Event::TimedOut {
            provider: "openai".into(),
            credential: account("work"),
            timed_out: TimeLimit::Attempt.ran_out(Duration::from_secs(600)),
        },
        canceled(2),
    ]
}
