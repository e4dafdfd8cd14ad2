//! What can happen to a credential or a request, as data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use crate::credentials::{CredentialId, Generation};
use crate::error::TimedOut;
use crate::serialized::{milliseconds, optional_status};
use crate::verdict::{Kind, OutReason};

/// Something that happened to a credential, a pool or a request.
///
/// An event names credentials by id and label and never holds a token. `Display` writes one plain line for people;
/// [`Event::name`] is for programs.
///
/// ```
/// use oauth_marathon::events::Event;
///
/// fn worth_a_page(event: &Event) -> bool {
///     matches!(event, Event::Out { .. } | Event::Exhausted { .. })
/// }
/// ```
///
/// # Serialized
///
/// An event is one object: its [name](Self::name) under `event`, and its fields in camel case. Durations are whole
/// milliseconds under a key that ends in `Ms`, kinds and reasons are their words, what is not known is `null`. A later version
/// may add fields and events, and renames none.
///
/// ```
/// use oauth_marathon::{Credential, Pool, Secret};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// use oauth_marathon::MarathonLayer;
/// use oauth_marathon_test::{Reply, ScriptedProvider};
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// # use tower::{Layer, ServiceExt};
///
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("t-work")).label("Work"))
///     .build()?;
/// let mut events = pool.events();
/// let client = MarathonLayer::new(pool).layer(ScriptedProvider::new().on("t-work", [Reply::limited(20)]));
/// client.oneshot(http::Request::get("https://api.example.com/v1/models").body(Full::<Bytes>::default())?).await?;
///
/// let event = events.recv().await.ok_or("the pool is gone")?;
/// assert_eq!(
///     serde_json::to_string(&event)?,
///     concat!(
///         r#"{"event":"cooling_down","provider":"openai","credential":{"id":"work","label":"Work"},"#,
///         r#""kind":"throttled","cooldownMs":20000,"model":null}"#
///     )
/// );
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// A request goes on with another credential.
    #[non_exhaustive]
    FailedOver {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential that failed.
        from: Account,
        /// The credential that is used instead.
        to: Account,
        /// The status of the failed answer; `None` if there was no answer.
        #[serde(serialize_with = "optional_status")]
        status: Option<StatusCode>,
        /// How the first credential failed.
        kind: Kind,
        /// How long a user interface should show a notice of this.
        #[serde(rename = "shownForMs", with = "milliseconds")]
        shown_for: Duration,
    },
    /// A credential is not picked for a while.
    #[non_exhaustive]
    CoolingDown {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential that is cooling.
        credential: Account,
        /// Why it is cooling.
        kind: Kind,
        /// For how long, from now.
        #[serde(rename = "cooldownMs", with = "milliseconds")]
        cooldown: Duration,
        /// The model that the cooldown is for, as requests name it; `None` if it is for the whole credential. Empty if
        /// it is for the requests whose model is not known.
        model: Option<Arc<str>>,
    },
    /// The cooldown of a credential has ended: it is picked again.
    #[non_exhaustive]
    Recovered {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential.
        credential: Account,
        /// The model that the cooldown was for, as in [`Event::CoolingDown`]; `None` if it was for the whole
        /// credential.
        model: Option<Arc<str>>,
    },
    /// A credential is out until a person acts.
    #[non_exhaustive]
    Out {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential.
        credential: Account,
        /// Why it is out, and so what a person has to do.
        reason: OutReason,
    },
    /// The last credential that could be used cannot be used any more. Reported once, not for each request after it.
    #[non_exhaustive]
    Exhausted {
        /// The id of the provider.
        provider: Arc<str>,
        /// How long until the first credential is expected to recover, if that is known.
        #[serde(rename = "retryAfterMs", with = "milliseconds::optional")]
        retry_after: Option<Duration>,
        /// The model for which no credential is left, while others can be used; `None` if none is left at all.
        model: Option<Arc<str>>,
    },
    /// A request has ended although credentials are ready, because `maxAttempts` allows it no further one.
    #[non_exhaustive]
    AttemptsUsedUp {
        /// The id of the provider.
        provider: Arc<str>,
        /// How many credentials it has tried.
        tried: usize,
        /// The status of the last answer; `None` if there was no answer.
        #[serde(serialize_with = "optional_status")]
        status: Option<StatusCode>,
    },
    /// A credential has a new access token.
    #[non_exhaustive]
    Refreshed {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential.
        credential: Account,
        /// The generation of the new token.
        generation: Generation,
    },
    /// A token could not be refreshed for now. A refresh that is refused for good is [`Event::Out`].
    #[non_exhaustive]
    RefreshFailed {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential.
        credential: Account,
        /// What went wrong, without any token.
        message: Arc<str>,
    },
    /// The store could not be read or written. Requests continue with what the pool has in memory, and the pool tries
    /// the store again. Reported once, until the store works again.
    #[non_exhaustive]
    StoreFailed {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential whose changes are only in memory; `None` if the event concerns no single one.
        credential: Option<Account>,
        /// What went wrong, without any token.
        message: Arc<str>,
    },
    /// A time limit of the settings cut an attempt, or the body of an answer, short.
    #[non_exhaustive]
    TimedOut {
        /// The id of the provider.
        provider: Arc<str>,
        /// The credential that was used.
        credential: Account,
        /// The time limit, and how long it is.
        timed_out: TimedOut,
    },
    /// The caller went away before its request was answered.
    #[non_exhaustive]
    Canceled {
        /// How many attempts had begun.
        attempts: usize,
        /// The credential of the last attempt.
        credential: Option<CredentialId>,
    },
}

/// The credential that an event is about, by id and label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Account {
    /// The id of the credential.
    pub id: CredentialId,
    /// The label: what people call the account.
    pub label: Arc<str>,
}

impl Event {
    /// A name for programs that stays the same between releases, such as `failed_over`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FailedOver { .. } => "failed_over",
            Self::CoolingDown { .. } => "cooling_down",
            Self::Recovered { .. } => "recovered",
            Self::Out { .. } => "out",
            Self::Exhausted { .. } => "exhausted",
            Self::AttemptsUsedUp { .. } => "attempts_used_up",
            Self::Refreshed { .. } => "refreshed",
            Self::RefreshFailed { .. } => "refresh_failed",
            Self::StoreFailed { .. } => "store_failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Canceled { .. } => "canceled",
        }
    }

    /// The id of the provider; `None` for [`Event::Canceled`], which is about a request.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::FailedOver { provider, .. }
            | Self::CoolingDown { provider, .. }
            | Self::Recovered { provider, .. }
            | Self::Out { provider, .. }
            | Self::Exhausted { provider, .. }
            | Self::AttemptsUsedUp { provider, .. }
            | Self::Refreshed { provider, .. }
            | Self::RefreshFailed { provider, .. }
            | Self::StoreFailed { provider, .. }
            | Self::TimedOut { provider, .. } => Some(provider),
            Self::Canceled { .. } => None,
        }
    }
}

/// The label, quoted.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.label, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::events::samples;

    #[test]
    fn every_event_has_a_name_of_its_own_in_snake_case() {
        let names: HashSet<_> = samples::all().iter().map(Event::name).collect();
        assert_eq!(names.len(), samples::all().len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')), "{names:?}");
    }

    #[test]
    fn only_a_canceled_request_names_no_provider() {
        for event in samples::all() {
            let expected = (event.name() != "canceled").then_some("openai");
            assert_eq!(event.provider(), expected, "{}", event.name());
        }
    }

    #[test]
    fn a_serialized_event_begins_with_its_name_and_holds_no_structure_of_rust() {
        for event in samples::all() {
            let value = serde_json::to_value(&event).unwrap();
            assert_eq!(value["event"], event.name());
            let keys: Vec<_> = value.as_object().unwrap().keys().collect();
            assert!(keys.iter().all(|key| key.bytes().all(|byte| byte.is_ascii_alphabetic())), "{keys:?}");
        }
        let timed_out = samples::all().into_iter().find(|event| event.name() == "timed_out").unwrap();
        assert_eq!(
            serde_json::to_value(timed_out).unwrap()["timedOut"],
            serde_json::json!({ "limit": "attemptTimeoutMs", "afterMs": 600_000 })
        );
    }

    #[test]
    fn events_can_be_sent_and_shared() {
        fn check<T: Send + Sync + Clone + 'static>() {}
        check::<Event>();
        check::<Account>();
    }
}
