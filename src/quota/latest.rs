//! What the latest answer of a credential said, kept as it came and read when somebody asks.

use std::fmt;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Instant, SystemTime};

use http::HeaderMap;

use super::Quota;
use super::fields::{is_named, is_of_other_limit};
use crate::clock;

/// The most bytes that are kept of an answer; fields beyond are left out.
const MOST_BYTES: usize = 8 * 1024;

/// The fields about limits of the latest answer that had some.
///
/// They are copied, not shared: a shared value would keep the whole head of the answer in memory, and the connection from
/// using that buffer again. The copies of the next answer take the place of the last ones, so that nothing is allocated.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    at: Option<Instant>,
    /// Name and value of each field, each behind its length.
    fields: Vec<u8>,
}

impl Latest {
    /// Takes over what an answer says. Most say nothing, and then this only looks at the names.
    #[inline]
    pub(crate) fn keep(&self, headers: &HeaderMap) {
        if headers.keys().any(|name| is_named(name.as_str())) {
            self.copy(headers);
        }
    }

    #[inline(never)]
    fn copy(&self, headers: &HeaderMap) {
        let now = clock::now();
        // Whoever holds it copies another answer, which is as good, or reads.
        let mut kept = match self.0.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        kept.at = Some(now);
        kept.fields.clear();
        for (name, value) in headers.iter().filter(|field| is_kept(field.0.as_str())) {
            push(&mut kept.fields, name.as_str().as_bytes(), value.as_bytes());
        }
    }

    /// What it says by now, where `wall` is the time of day. Nothing is locked while it is read.
    pub(crate) fn read(&self, wall: SystemTime) -> Quota {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = kept.at else { return Quota::unknown(wall) };
        let fields = kept.fields.clone();
        drop(kept);
        let age = clock::now().saturating_duration_since(at);
        // Counted back, so that a jump of the wall clock since then moves nothing.
        let answered = wall.checked_sub(age).unwrap_or(wall);
        Quota::of(Unpacked(&fields), answered).at(wall)
    }
}

fn is_kept(name: &str) -> bool {
    is_named(name) || name == "date" || is_of_other_limit(name)
}

fn push(fields: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let (Ok(name_length), Ok(value_length)) = (u16::try_from(name.len()), u16::try_from(value.len())) else { return };
    if fields.len() + 4 + name.len() + value.len() > MOST_BYTES {
        return;
    }
    fields.extend_from_slice(&name_length.to_le_bytes());
    fields.extend_from_slice(&value_length.to_le_bytes());
    fields.extend_from_slice(name);
    fields.extend_from_slice(value);
}

/// The fields that `push` has put together.
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
        // Whatever became of the wall clock.
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

    #[test]
    fn an_answer_waits_for_nobody() {
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
