//! Keeps the latest event of each limit that streams have sent, as it came.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Quota;
use super::event::limit_of;

/// The most limits whose events are kept. A subscription has one limit, and few models have one of their own.
const MOST_LIMITS: usize = 4;

/// The latest event of each limit, oldest first.
#[derive(Debug, Default, Clone)]
pub(super) struct Events(Vec<LimitEvent>);

#[derive(Debug, Clone)]
struct LimitEvent {
    limit: String,
    at: Instant,
    data: Box<[u8]>,
}

impl Events {
    /// Keeps an event that has windows, in place of an earlier one of the same limit.
    pub(super) fn keep(&mut self, data: &[u8], at: Instant) {
        let says = Quota::read_event(data, UNIX_EPOCH).is_some_and(|quota| !quota.is_empty());
        let Some(limit) = limit_of(data).filter(|_| says) else { return };
        self.0.retain(|event| event.limit != limit);
        if self.0.len() >= MOST_LIMITS {
            self.0.remove(0);
        }
        self.0.push(LimitEvent { limit, at, data: data.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quota of each event and when it came, latest first. `wall` is the time of day at `now`.
    pub(super) fn read(&self, now: Instant, wall: SystemTime) -> impl Iterator<Item = (Instant, Quota)> {
        self.0.iter().rev().filter_map(move |event| {
            // Counted back from now, so that a jump of the wall clock since then changes nothing.
            let told = wall.checked_sub(now.saturating_duration_since(event.at)).unwrap_or(wall);
            Some((event.at, Quota::read_event(&event.data, told)?))
        })
    }
}
