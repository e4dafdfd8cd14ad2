//! The thread of one notifier.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::event::Event;
use super::notifier::Notifier;
use super::trace;
use crate::sync::shielded;

/// How many events may wait for one notifier or stream.
pub(super) const CAPACITY: usize = 1024;

/// The thread of one notifier, and how many events it has handled.
#[derive(Debug)]
pub(super) struct Worker {
    /// How many events had been sent before the notifier was added.
    start: u64,
    taken: AtomicU64,
    lost: AtomicU64,
}

impl Worker {
    /// Starts the thread. It ends when all senders of the ring are gone and every waiting event was handed over.
    pub(super) fn spawn(notifier: impl Notifier, events: Receiver<Event>, start: u64) -> io::Result<Arc<Self>> {
        let worker = Arc::new(Self { start, taken: AtomicU64::new(0), lost: AtomicU64::new(0) });
        let progress = Arc::clone(&worker);
        thread::Builder::new().name("oauth-notify".into()).spawn(move || progress.run(notifier, events))?;
        Ok(worker)
    }

    /// How many of the `sent` events this notifier has lost: those that it neither took nor finds in the ring. The ring
    /// itself reports a loss only to a reader that comes back, and a notifier that blocks for ever never does.
    pub(super) fn lost(&self, sent: u64) -> u64 {
        let kept = self.taken.load(Ordering::Relaxed).saturating_add(CAPACITY as u64);
        let overwritten = sent.saturating_sub(self.start).saturating_sub(kept);
        self.lost.load(Ordering::Relaxed).max(overwritten)
    }

    fn run(&self, mut notifier: impl Notifier, mut events: Receiver<Event>) {
        loop {
            match events.blocking_recv() {
                Ok(event) => {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    if shielded(|| notifier.notify(&event)).is_none() {
                        trace::notifier_panicked(&event);
                    }
                }
                Err(RecvError::Lagged(count)) => {
                    self.lost.fetch_add(count, Ordering::Relaxed);
                    trace::notifier_lagged(count);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;
    use tracing::Level;

    use super::*;
    use crate::events::samples;
    use crate::events::trace::capture::{Capture, capture};

    fn worker() -> Worker {
        Worker { start: 0, taken: AtomicU64::new(0), lost: AtomicU64::new(0) }
    }

    #[test]
    fn loss_is_known_before_the_notifier_comes_back() {
        let worker = Worker { start: 10, ..worker() };
        assert_eq!(worker.lost(0), 0);
        assert_eq!(worker.lost(10 + 1024), 0);
        assert_eq!(worker.lost(10 + 1025), 1);
        worker.taken.fetch_add(1, Ordering::Relaxed);
        assert_eq!(worker.lost(10 + 1025), 0);
        worker.lost.fetch_add(3, Ordering::Relaxed);
        assert_eq!(worker.lost(10 + 1025), 3);
        assert_eq!(worker.lost(u64::MAX), u64::MAX - 10 - 1025);
    }

    #[test]
    fn lost_events_and_panics_are_logged() {
        let (sender, receiver) = broadcast::channel(2);
        (0..5).for_each(|number| drop(sender.send(samples::canceled(number))));
        drop(sender);
        let Capture { events, .. } = capture(|| worker().run(|_: &Event| panic!("a test of panics"), receiver));
        let messages: Vec<_> = events.iter().map(|event| event.field("message")).collect();
        assert_eq!(messages, ["a notifier lost events", "a notifier panicked", "a notifier panicked"]);
        assert!(events.iter().all(|event| event.level == Level::WARN && event.target == "oauth_marathon"));
        assert_eq!(events[0].field("oauth_marathon.notify.dropped"), "3");
        assert_eq!(events[1].field("oauth_marathon.event"), "canceled");
    }
}
