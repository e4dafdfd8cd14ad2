//! How much a credential may still be used, and when it may be used again, as its answers say.
//!
//! Providers send header fields with every answer that count what is left of a limit. [`Quota::read`] finds the fields
//! that it knows, from any provider:
//!
//! | fields | sent by | windows |
//! |---|---|---|
//! | `x-ratelimit-*`, `x-rate-limit-*`, `x-tokenlimit-*` | OpenAI, Azure, Groq, Mistral, OpenRouter, GitHub and many others | one for each suffix, such as `requests` and `tokens` |
//! | `anthropic-ratelimit-*`, `anthropic-priority-*` | Anthropic's API | `requests`, `tokens`, `input-tokens`, `output-tokens` |
//! | `anthropic-ratelimit-unified-*` | Claude subscriptions | `5h`, `7d`, `7d_opus`, `overage` and others |
//! | `x-codex-*` and their like for other limits | ChatGPT subscriptions | `primary`, `secondary`, `tertiary` |
//! | `x-quota-snapshot-*` | GitHub Copilot | one for each suffix, such as `premium_interactions` |
//! | `RateLimit`, `RateLimit-Policy` and the older three fields | the drafts of the IETF (draft-ietf-httpapi-ratelimit-headers), all revisions | one for each policy |
//!
//! ChatGPT subscriptions also send an event `codex.rate_limits` inside of streams ([`Quota::read_event`]).
//!
//! Every pool keeps what the latest answer of each credential said, and its events. They are read on demand:
//! [`CredentialSnapshot::quota`](crate::pool::CredentialSnapshot::quota) is for people,
//! [`Candidate::quota`](crate::pool::Candidate::quota) for a strategy of yours.
//!
//! The room reads header fields and events and knows no credential. It keeps the raw bytes and parses them on demand,
//! because every good answer has such fields and few are ever read.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde::Serialize;

mod anthropic;
mod claude;
mod codex;
mod copilot;
mod event;
mod events;
mod fields;
mod ietf;
mod latest;
mod value;
mod window;
mod x_ratelimit;

use self::fields::Fields;
pub(crate) use self::latest::Latest;
use self::window::Windows;
pub use self::window::{Window, WindowScope};
use crate::serialized;

/// The windows of an answer: how much of each limit is used, and when it is whole again.
///
/// ```
/// use http::HeaderMap;
/// use oauth_marathon::providers::quota::Quota;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-ratelimit-limit-requests", "500".parse()?);
/// headers.insert("x-ratelimit-remaining-requests", "0".parse()?);
/// headers.insert("x-ratelimit-reset-requests", "1m2.5s".parse()?);
///
/// let quota = Quota::read(&headers, UNIX_EPOCH);
/// let exhausted = quota.exhausted().ok_or("some window is used up")?;
/// assert_eq!(exhausted.name, "requests");
/// assert_eq!(exhausted.resets_after, Some(Duration::from_millis(62_500)));
///
/// // Serialized, durations are whole milliseconds, and times of day are milliseconds since 1970.
/// let window = &serde_json::to_value(&quota)?["windows"][0];
/// assert_eq!((&window["name"], &window["scope"]), (&"requests".into(), &"model".into()));
/// assert_eq!((&window["remaining"], &window["resetsAfterMs"]), (&0.into(), &62_500.into()));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    windows: Vec<Window>,
    #[serde(serialize_with = "serialized::time")]
    as_of: SystemTime,
}

impl Quota {
    /// The most windows that are read of one answer.
    pub const MOST_WINDOWS: usize = 32;

    /// Reads the header fields of an answer that arrived at `now`.
    ///
    /// Resets that are named as a date are measured from the answer's own `Date`, so that clocks may differ, and from
    /// `now` if there is none. A reset in the past counts as zero, and the longest is ten years. Values that cannot be
    /// read are left out.
    #[must_use]
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        Self::of(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), now)
    }

    /// Reads the data of an event `codex.rate_limits`, which is JSON, from a stream; it arrived at `now`.
    ///
    /// `None` if it is another event.
    #[must_use]
    pub fn read_event(data: &[u8], now: SystemTime) -> Option<Self> {
        let mut windows = Windows::default();
        event::read(data, now, &mut windows)?;
        Some(Self { windows: windows.finish(), as_of: now })
    }

    /// A quota without windows: nothing is known.
    pub(crate) fn unknown(as_of: SystemTime) -> Self {
        Self { windows: Vec::new(), as_of }
    }

    fn of<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>, now: SystemTime) -> Self {
        let fields = Fields::new(fields, now);
        let mut windows = Windows::default();
        if !fields.is_empty() {
            x_ratelimit::read(&fields, &mut windows);
            anthropic::read(&fields, &mut windows);
            claude::read(&fields, &mut windows);
            codex::read(&fields, &mut windows);
            copilot::read(&fields, &mut windows);
            ietf::read(&fields, &mut windows);
        }
        Self { windows: windows.finish(), as_of: now }
    }

    /// The windows; none if the answer says nothing about limits.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The window of this name.
    #[must_use]
    pub fn window(&self, name: &str) -> Option<&Window> {
        self.windows.iter().find(|window| window.name == name)
    }

    /// Whether there are no windows: nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The time from which the resets count: when the answer came, or the time given to [`at`](Self::at).
    #[must_use]
    pub fn as_of(&self) -> SystemTime {
        self.as_of
    }

    /// The exhausted window that keeps the credential out of use the longest.
    ///
    /// Windows of the whole credential come before windows of one model, and those before other buckets: a group counts
    /// only if no window of the groups before it is used up. Within a group the window with the latest reset is chosen;
    /// one that names no reset comes last.
    #[must_use]
    pub fn exhausted(&self) -> Option<&Window> {
        let exhausted = self.windows.iter().filter(|window| window.exhausted);
        exhausted.max_by_key(|window| (window.scope.rank(), window.resets_after))
    }

    /// The smallest share that is left in any window, from 0 to 1. Other [buckets](WindowScope::Bucket) do not count.
    ///
    /// `None` if no share is known.
    #[must_use]
    pub fn left(&self) -> Option<f64> {
        let counted = self.windows.iter().filter(|window| window.scope != WindowScope::Bucket);
        counted.filter_map(Window::left).min_by(f64::total_cmp)
    }

    /// The quota as it is still true at a later time: resets have come nearer. Windows that have been reset since are
    /// left out, because it is not known how much of them is used.
    ///
    /// A window that names no reset is left out after its length, or an hour where that is not known.
    #[must_use]
    pub fn at(&self, now: SystemTime) -> Self {
        const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
        let age = now.duration_since(self.as_of).unwrap_or_default();
        let is_true = |window: &&Window| {
            let ends = window.resets_after.or(window.length).unwrap_or(FORGOTTEN_AFTER);
            ends > age
        };
        let later = |window: &Window| Window {
            resets_after: window.resets_after.map(|reset| reset.saturating_sub(age)),
            ..window.clone()
        };
        Self { windows: self.windows.iter().filter(is_true).map(later).collect(), as_of: now.max(self.as_of) }
    }
}

#[cfg(test)]
mod tests;
