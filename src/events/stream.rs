//! The events of a pool for asynchronous readers.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::event::Event;

/// The events since [`Notifiers::subscribe`](super::Notifiers::subscribe), in order.
///
/// A reader that falls more than 1024 events behind loses the oldest; [`EventStream::missed`] counts them.
#[derive(Debug)]
pub struct EventStream {
    receiver: Receiver<Event>,
    missed: u64,
}

impl EventStream {
    pub(super) fn new(receiver: Receiver<Event>) -> Self {
        Self { receiver, missed: 0 }
    }

    /// Waits for the next event; `None` once all handles to the [`Notifiers`](super::Notifiers) are gone and every
    /// event was read. Dropping the future loses no event.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(count)) => self.missed = self.missed.saturating_add(count),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<Event> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) => return Some(event),
                Err(TryRecvError::Lagged(count)) => self.missed = self.missed.saturating_add(count),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// How many events were lost, counted up to the last one that was read.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready_eq, task};

    use crate::events::{Notifiers, samples};

    #[test]
    fn a_waiting_reader_is_woken_by_the_next_event() {
        let hub = Notifiers::new();
        let mut events = hub.subscribe();
        let mut next = task::spawn(events.recv());
        assert_pending!(next.poll());
        hub.emit(|| samples::canceled(1));
        assert!(next.is_woken());
        assert_ready_eq!(next.poll(), Some(samples::canceled(1)));
    }

    #[tokio::test]
    async fn what_is_queued_is_read_after_the_last_handle_is_gone() {
        let hub = Notifiers::new();
        let mut events = hub.subscribe();
        hub.emit(|| samples::canceled(1));
        drop(hub);
        assert_eq!(events.recv().await, Some(samples::canceled(1)));
        assert_eq!(events.recv().await, None);
        assert_eq!(events.try_recv(), None);
    }

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_knows_how_many() {
        let hub = Notifiers::new();
        let (mut awaited, mut tried) = (hub.subscribe(), hub.subscribe());
        (0..1030).for_each(|number| hub.emit(|| samples::canceled(number)));

        assert_eq!(awaited.recv().await, Some(samples::canceled(6)));
        assert_eq!(tried.try_recv(), Some(samples::canceled(6)));
        assert_eq!((awaited.missed(), tried.missed()), (6, 6));

        assert_eq!(tried.try_recv(), Some(samples::canceled(7)));
        assert_eq!(tried.missed(), 6);
        assert_eq!(hub.dropped(), 0, "a stream counts for itself");
    }
}
