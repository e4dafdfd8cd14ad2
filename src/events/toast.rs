//! The notice that people see when a request moves to another credential.

use std::time::Duration;

use http::StatusCode;

use super::event::Event;
use crate::verdict::Kind;

/// A short notice for a user interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Toast {
    /// The heading.
    pub title: &'static str,
    /// One line of text.
    pub message: String,
    /// How long to show it.
    pub duration: Duration,
    /// How serious it is.
    pub severity: Severity,
}

/// How serious a [`Toast`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// For information.
    Info,
    /// Something failed and was dealt with.
    Warning,
    /// Something failed for the user.
    Error,
}

impl Severity {
    /// The severity as a word, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Event {
    /// The notice to show for this event. Only [`Event::FailedOver`] has one.
    #[must_use]
    pub fn toast(&self) -> Option<Toast> {
        let Self::FailedOver { provider, status, kind, shown_for, .. } = self else { return None };
        Some(Toast {
            title: "OAuth Credential Failover",
            message: switching(provider, *kind, *status),
            duration: *shown_for,
            severity: Severity::Warning,
        })
    }
}

/// The sentence about a failover. The name of the provider is escaped, so that the sentence stays on one line.
pub(super) fn switching(provider: &str, kind: Kind, status: Option<StatusCode>) -> String {
    let cause = match kind {
        Kind::Throttled | Kind::QuotaExhausted => "Rate limited",
        _ if status == Some(StatusCode::TOO_MANY_REQUESTS) => "Rate limited",
        Kind::Unauthorized | Kind::Forbidden | Kind::Revoked => "Auth error",
        _ => "Request failed",
    };
    format!("{cause} on {provider:?}. Switching OAuth credential...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples;

    #[test]
    fn the_text_names_the_cause_and_the_provider() {
        let rate = "Rate limited on \"openai\". Switching OAuth credential...";
        let auth = "Auth error on \"openai\". Switching OAuth credential...";
        let other = "Request failed on \"openai\". Switching OAuth credential...";
        for (kind, status, text) in [
            (Kind::Throttled, Some(429), rate),
            (Kind::Throttled, None, rate),
            (Kind::QuotaExhausted, Some(403), rate),
            (Kind::Overloaded, Some(429), rate),
            (Kind::Unauthorized, Some(401), auth),
            (Kind::Forbidden, Some(403), auth),
            (Kind::Revoked, None, auth),
            (Kind::Billing, Some(402), other),
            (Kind::Banned, Some(403), other),
            (Kind::ServerError, Some(500), other),
            (Kind::Network, None, other),
        ] {
            let toast = samples::failed_over(kind, status).toast().unwrap();
            assert_eq!(toast.message, text, "{kind:?} {status:?}");
        }
    }

    #[test]
    fn a_failover_is_shown_as_a_warning_for_as_long_as_the_settings_say() {
        let toast = samples::failed_over(Kind::Network, None).toast().unwrap();
        assert_eq!(toast.title, "OAuth Credential Failover");
        assert_eq!(toast.duration, Duration::from_secs(8));
        assert_eq!(toast.severity.as_str(), "warning");
    }

    #[test]
    fn nothing_else_is_shown() {
        let shown: Vec<_> = samples::all().iter().filter(|event| event.toast().is_some()).map(Event::name).collect();
        assert_eq!(shown, ["failed_over"]);
    }

    #[test]
    fn an_odd_provider_name_stays_on_one_line() {
        let text = switching("a\n\u{1b}[31m", Kind::Network, None);
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
