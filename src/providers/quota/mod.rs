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
//! The room reads header fields and events and knows no credential. It keeps the raw bytes and reads them later,
//! because every good answer has such fields and hardly one of them is ever asked for.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

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
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    windows: Vec<Window>,
    as_of: SystemTime,
}

impl Quota {
    /// The most windows that are read of one answer.
    pub const MOST_WINDOWS: usize = 32;

    /// What the header fields of an answer say that arrived at `now`.
    ///
    /// Resets that are named as a date are measured from the answer's own `Date`, which takes the skew between the clocks out,
    /// and from `now` where there is none. A reset in the past is none to wait for, and the longest is ten years. What
    /// cannot be read is left out.
    #[must_use]
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        Self::of(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), now)
    }

    /// What the event `codex.rate_limits` inside a stream says that arrived at `now`: its data, which is JSON.
    ///
    /// `None` if it is another event.
    #[must_use]
    pub fn read_event(data: &[u8], now: SystemTime) -> Option<Self> {
        let mut windows = Windows::default();
        event::read(data, now, &mut windows)?;
        Some(Self { windows: windows.finish(), as_of: now })
    }

    /// Nothing is known.
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

    /// The windows; none where the answer says nothing about limits.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The window of this name.
    #[must_use]
    pub fn window(&self, name: &str) -> Option<&Window> {
        self.windows.iter().find(|window| window.name == name)
    }

    /// Whether there is nothing known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The time from which the resets count: when the answer came, or the time given to [`at`](Self::at).
    #[must_use]
    pub fn as_of(&self) -> SystemTime {
        self.as_of
    }

    /// The exhausted window that keeps the credential from being used the longest.
    ///
    /// Windows of the whole credential go before those of one model, and those before other buckets: only where none of the
    /// first is used up, the next count. Among equals it is the one with the latest reset; one that names no reset comes last.
    #[must_use]
    pub fn exhausted(&self) -> Option<&Window> {
        let exhausted = self.windows.iter().filter(|window| window.exhausted);
        exhausted.max_by_key(|window| (window.scope.rank(), window.resets_after))
    }

    /// How much is left of what there is least of, from 0 to 1. Other [buckets](WindowScope::Bucket) do not count.
    ///
    /// `None` if nothing is known about it.
    #[must_use]
    pub fn left(&self) -> Option<f64> {
        let counted = self.windows.iter().filter(|window| window.scope != WindowScope::Bucket);
        counted.filter_map(Window::left).min_by(f64::total_cmp)
    }

    /// What is still true of it at a later time: resets have come nearer, and windows that have been reset since are left out,
    /// because it is not known how much of them is used.
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
