//! The news of a stream after its head has gone: how it ended, and its events about limits. The layer that reads the
//! stream writes them for the layers above.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::verdict::Verdict;

/// How a stream ended, after its content had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With the end that its dialect has, or in a dialect that has none.
    Clean,
    /// Without the end that its dialect has.
    Truncated,
    /// With an error.
    Failed(Verdict),
}

/// A handle to the news of one stream. It stands in the extensions of the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamNews(Arc<News>);

#[derive(Debug, Default)]
struct News {
    ending: OnceLock<Ending>,
    /// Whether `limits` may hold something. Each frame reads this, and most streams have no such event.
    has_limits: AtomicBool,
    limits: Mutex<Vec<Box<[u8]>>>,
}

impl StreamNews {
    /// The most bytes of an event about limits. No known one is longer.
    const MOST_BYTES: usize = 8 * 1024;

    /// The most events that are kept until they are taken. More of them in one chunk are repetitions.
    const MOST_EVENTS: usize = 8;

    /// Reports the end. Only the first report counts.
    pub(crate) fn end(&self, ending: Ending) {
        let _ = self.0.ending.set(ending);
    }

    /// How the stream ended. `None` while it runs.
    #[inline]
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.0.ending.get().copied()
    }

    /// Reports an event about the account's limits, as it came.
    pub(crate) fn tell_limits(&self, event: &[u8]) {
        if event.len() > Self::MOST_BYTES {
            return;
        }
        let mut limits = self.0.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() >= Self::MOST_EVENTS {
            limits.remove(0);
        }
        limits.push(event.into());
        drop(limits);
        self.0.has_limits.store(true, Ordering::Release);
    }

    /// Takes the events about limits, oldest first.
    #[inline]
    pub(crate) fn take_limits(&self) -> Vec<Box<[u8]>> {
        if self.0.has_limits.load(Ordering::Acquire) { self.take() } else { Vec::new() }
    }

    #[inline(never)]
    fn take(&self) -> Vec<Box<[u8]>> {
        self.0.has_limits.store(false, Ordering::Release);
        std::mem::take(&mut *self.0.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_about_limits_are_bounded_and_taken_once() {
        let news = StreamNews::default();
        assert!(news.take_limits().is_empty());
        news.tell_limits(&vec![b'x'; StreamNews::MOST_BYTES + 1]);
        assert!(news.take_limits().is_empty());
        for number in 0..20_u8 {
            news.clone().tell_limits(&[number]);
        }
        let taken = news.take_limits();
        assert_eq!(taken.concat(), [12, 13, 14, 15, 16, 17, 18, 19]);
        assert!(news.take_limits().is_empty());
        news.tell_limits(b"x");
        assert_eq!(news.take_limits().concat(), b"x");
    }
}
