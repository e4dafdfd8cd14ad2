//! What the latest answer of a credential said about limits, kept as it came and read on demand.

use std::cmp::Reverse;
use std::fmt;
use std::time::{Instant, SystemTime};

use http::HeaderMap;

use super::Quota;
use super::events::Events;
use super::fields::{is_named, is_of_other_limit};
use crate::clock;
use crate::sync::{Mutex, MutexGuard, TryLockError, lock};

/// The most bytes that are kept of an answer; fields beyond are left out.
const MOST_BYTES: usize = 8 * 1024;

/// The fields about limits of the latest answer that had some, and the latest events inside of answers.
///
/// They are copied, not shared: a shared value would keep the whole head of the answer in memory, and the connection
/// could not use its buffer again. The copies of the next answer overwrite them, so that nothing is allocated.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    at: Option<Instant>,
    /// The name and the value of each field, with their lengths before them.
    fields: Vec<u8>,
    /// The events about limits that streams have sent.
    events: Events,
}

impl Latest {
    /// Keeps the fields of an answer that are about limits. Most answers have none, and then only names are read.
    #[inline]
    pub(crate) fn keep(&self, headers: &HeaderMap) {
        if headers.keys().any(|name| is_named(name.as_str())) {
            self.copy(headers);
        }
    }

    #[inline(never)]
    fn copy(&self, headers: &HeaderMap) {
        let now = clock::now();
        let Some(mut kept) = self.free() else { return };
        kept.at = Some(now);
        kept.fields.clear();
        for (name, value) in headers.iter().filter(|field| is_kept(field.0.as_str())) {
            push(&mut kept.fields, name.as_str().as_bytes(), value.as_bytes());
        }
    }

    /// Keeps an event inside of an answer, if it is about limits.
    pub(crate) fn keep_event(&self, event: &[u8]) {
        let now = clock::now();
        if let Some(mut kept) = self.free() {
            kept.events.keep(event, now);
        }
    }

    /// Locks the value, without waiting. `None` while another thread reads it, or copies an answer that is as good as
    /// this one.
    fn free(&self) -> Option<MutexGuard<'_, Kept>> {
        match self.0.try_lock() {
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The quota at the time of day `wall`. Nothing is locked while the fields and events are parsed.
    pub(crate) fn read(&self, wall: SystemTime) -> Quota {
        let kept = lock(&self.0);
        let (at, fields, events) = (kept.at, kept.fields.clone(), kept.events.clone());
        drop(kept);
        let now = clock::now();
        let fields = at.map(|at| {
            // Counted back from now, so that a jump of the wall clock since then changes nothing.
            let answered = wall.checked_sub(now.saturating_duration_since(at)).unwrap_or(wall);
            (at, Quota::of(Unpacked(&fields), answered))
        });
        match fields {
            Some((_, fields)) if events.is_empty() => fields.at(wall),
            fields => merged(fields, events.read(now, wall), wall),
        }
    }
}

/// Takes each window from the latest field or event about it. The fields alone say what a window limits.
fn merged(fields: Option<(Instant, Quota)>, events: impl Iterator<Item = (Instant, Quota)>, wall: SystemTime) -> Quota {
    let mut all = Quota::unknown(wall);
    let mut seen = Vec::new();
    let scopes: Vec<_> = fields.iter().flat_map(|(_, quota)| quota.windows().iter().cloned()).collect();
    let mut said: Vec<_> = events.chain(fields).collect();
    // The sort is stable: an event stays before fields of the same time, because it came after them.
    said.sort_by_key(|(at, _)| Reverse(*at));
    for (_, quota) in said {
        let mut fresh = quota.at(wall);
        fresh.windows.retain(|window| !seen.contains(&window.name));
        for window in &mut fresh.windows {
            let known = scopes.iter().find(|other| other.name == window.name);
            window.scope = known.map_or(window.scope, |known| known.scope);
        }
        all.windows.append(&mut fresh.windows);
        seen.extend(quota.windows.into_iter().map(|window| window.name));
    }
    all
}

fn is_kept(name: &str) -> bool {
    is_named(name) || name == "date" || is_of_other_limit(name)
}

fn push(fields: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let (Ok(name_length), Ok(value_length)) = (u16::try_from(name.len()), u16::try_from(value.len())) else { return };
    if fields.len() + 4 + name.len() + value.len() > MOST_BYTES {
        return;
    }
    let ([n0, n1], [v0, v1]) = (name_length.to_le_bytes(), value_length.to_le_bytes());
    fields.extend_from_slice(&[n0, n1, v0, v1]);
    fields.extend_from_slice(name);
    fields.extend_from_slice(value);
}

/// Reads back the fields that `push` has written.
struct Unpacked<'a>(&'a [u8]);

impl<'a> Iterator for Unpacked<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[n0, n1, v0, v1], rest) = self.0.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes([n0, n1]).into())?;
        let (value, rest) = rest.split_at_checked(u16::from_le_bytes([v0, v1]).into())?;
        self.0 = rest;
        Some((std::str::from_utf8(name).ok()?, value))
    }
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::tests::headers;
    use super::*;

    const WALL: SystemTime = UNIX_EPOCH;

    fn remaining(latest: &Latest) -> Option<u64> {
        latest.read(WALL).window("default").and_then(|window| window.remaining)
    }

    #[test]
    fn what_is_kept_is_what_was_said() {
        let said = headers(&[
            ("content-type", "application/json"),
            ("date", "Thu, 01 Jan 1970 00:01:00 GMT"),
            ("x-codex-primary-used-percent", "50"),
            ("x-codex-primary-reset-at", "1795336440"),
            ("x-gpt-5-spark-secondary-used-percent", "7"),
            ("x-ratelimit-remaining", "5"),
            ("ratelimit", "\"a\";r=1"),
            ("ratelimit", "\"b\";r=2"),
            ("ratelimit-policy", "\"a\";q=4"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.5"),
            ("anthropic-priority-input-tokens-remaining", "9"),
            ("x-quota-snapshot-chat", "rem=50"),
            ("x-rate-limit-remaining-y", "3"),
            ("x-tokenlimit-remaining", "6"),
        ]);
        let latest = Latest::default();
        assert!(latest.read(WALL).is_empty());
        latest.keep(&said);
        let (kept, read) = (latest.read(WALL), Quota::read(&said, WALL));
        let windows = |quota: &Quota| {
            let of = |window: &super::super::Window| (window.name.clone(), window.remaining, window.used, window.limit);
            quota.windows().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(windows(&kept), windows(&read));
        assert_eq!(kept.windows().len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn resets_come_nearer_on_the_monotonic_clock() {
        let latest = Latest::default();
        latest.keep(&headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")]));
        tokio::time::advance(Duration::from_secs(20)).await;
        // However far the wall clock has jumped.
        for wall in [UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(10_000)] {
            let quota = latest.read(wall);
            assert_eq!(quota.exhausted().unwrap().resets_after, Some(Duration::from_secs(40)));
            assert_eq!(quota.as_of(), wall);
        }
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(latest.read(WALL).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn dates_are_measured_from_the_answers_own_clock() {
        let latest = Latest::default();
        latest.keep(&headers(&[
            ("date", "Sun, 22 Nov 2026 08:33:00 GMT"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795336440"),
        ]));
        let reset = latest.read(WALL).exhausted().and_then(|window| window.resets_after);
        assert_eq!(reset, Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_latest_answer_that_says_something_counts() {
        let latest = Latest::default();
        latest.keep(&headers(&[("x-ratelimit-remaining", "5"), ("x-ratelimit-limit", "10")]));
        latest.keep(&headers(&[("x-ratelimit-remaining", "4")]));
        assert_eq!(remaining(&latest), Some(4));
        assert_eq!(latest.read(WALL).window("default").and_then(|window| window.limit), None);
        latest.keep(&headers(&[("x-request-id", "1"), ("date", "Thu, 01 Jan 1970 00:01:00 GMT")]));
        assert_eq!(remaining(&latest), Some(4));
    }

    fn event(limit: &str, used: u32) -> Vec<u8> {
        let event = format!(
            r#"{{"type":"codex.rate_limits","limit_id":"{limit}","rate_limits":{{"primary":{{"used_percent":{used},"window_minutes":300,"reset_after_seconds":60}}}}}}"#
        );
        event.into_bytes()
    }

    #[tokio::test(start_paused = true)]
    async fn of_each_window_the_latest_word_counts() {
        let used = |latest: &Latest, window| latest.read(WALL).window(window).and_then(|window| window.used);
        let latest = Latest::default();
        latest.keep_event(&event("codex", 10));
        assert_eq!(used(&latest, "primary"), Some(0.1));

        tokio::time::advance(Duration::from_secs(1)).await;
        latest.keep(&headers(&[
            ("x-codex-active-limit", "spark"),
            ("x-codex-primary-used-percent", "20"),
            ("x-codex-secondary-used-percent", "40"),
            ("x-spark-primary-used-percent", "5"),
        ]));
        assert_eq!((used(&latest, "primary"), used(&latest, "secondary")), (Some(0.2), Some(0.4)));

        // At the same time as the head that it came under.
        latest.keep_event(&event("codex", 30));
        assert_eq!((used(&latest, "primary"), used(&latest, "secondary")), (Some(0.3), Some(0.4)));
        assert_eq!(latest.read(WALL).windows().len(), 3);

        // An event of another limit, and one without content, change nothing here.
        for other in [event("other", 100), b"{\"type\":\"codex.rate_limits\"}".to_vec(), b"{}".to_vec(), Vec::new()] {
            latest.keep_event(&other);
        }
        assert_eq!((used(&latest, "primary"), used(&latest, "other-primary")), (Some(0.3), Some(1.0)));
        assert_eq!(latest.read(WALL).left(), Some(0.6));

        // The fields' scope of a window stays true.
        latest.keep_event(&event("spark", 90));
        assert_eq!(latest.read(WALL).left().map(|left| (left * 10.0).round()), Some(1.0));

        // Nothing is known of a window after its reset; least of all its older figures.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((used(&latest, "primary"), used(&latest, "secondary")), (None, Some(0.4)));
    }

    #[test]
    fn the_events_of_few_limits_are_kept() {
        let latest = Latest::default();
        for number in 0..9 {
            latest.keep_event(&event(&format!("l{number}"), number));
            latest.keep_event(&event("codex", number));
        }
        let quota = latest.read(WALL);
        assert_eq!(quota.windows().len(), 4);
        assert_eq!(quota.window("primary").and_then(|window| window.used), Some(0.08));
    }

    #[test]
    fn an_answer_never_waits() {
        let latest = Latest::default();
        latest.keep(&headers(&[("x-ratelimit-remaining", "5")]));
        let reader = latest.0.lock().unwrap();
        latest.keep(&headers(&[("x-ratelimit-remaining", "4")]));
        drop(reader);
        assert_eq!(remaining(&latest), Some(5));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let latest = Latest::default();
        let long = "x".repeat(100_000);
        let many: Vec<_> = (0..2_000).map(|at| format!("x-ratelimit-remaining-{at}")).collect();
        let mut fields: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
        fields.insert(0, ("x-ratelimit-reset", &long));
        fields.push(("x-ratelimit-remaining", "5"));
        latest.keep(&headers(&fields));
        assert!(latest.0.lock().unwrap().fields.len() <= MOST_BYTES);
        assert!(!latest.read(WALL).is_empty());
    }

    #[test]
    fn nothing_that_was_said_shows_in_debug() {
        let latest = Latest::default();
        latest.keep(&headers(&[("x-ratelimit-remaining", "5150")]));
        assert_eq!(format!("{latest:?}"), "Latest { .. }");
    }
}
