//! The hub that events are reported to, with or without listeners.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::broadcast::Sender;

use super::event::Event;
use super::notifier::Notifier;
use super::stream::EventStream;
use super::trace;
use super::worker::{CAPACITY, Worker};
use crate::sync::shielded;

/// Hands events to all listeners. Clones share them.
///
/// No listener can hold up or break the code that reports an event. Each notifier runs on a thread of its own, which
/// ends with the last handle; a notifier that falls more than 1024 events behind loses the oldest. Events that still
/// wait when the process ends are lost.
///
/// ```
/// use oauth_marathon::events::{Event, Notifiers};
/// use oauth_marathon::layers::notify::NotifyLayer;
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let notifiers = Notifiers::new();
/// notifiers.add(|event: &Event| eprintln!("{event}"))?;
/// let mut events = notifiers.subscribe();
///
/// let client = service_fn(async |_: http::Request<()>| std::future::pending::<Result<(), std::io::Error>>().await);
/// let mut client = NotifyLayer::with_notifiers(notifiers).layer(client);
/// drop(client.ready().await?.call(http::Request::new(())));
/// assert_eq!(events.recv().await.expect("one event").name(), "canceled");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Notifiers(Arc<Hub>);

#[derive(Default)]
struct Hub {
    /// The ring of events that wait for listeners. It is made for the first listener, so that a pool without one pays
    /// nothing.
    ring: OnceLock<Sender<Event>>,
    sent: AtomicU64,
    workers: Mutex<Vec<Arc<Worker>>>,
}

impl Notifiers {
    /// Notifiers without any listener yet. No thread is started until one is added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a thread that hands every event from now on to `notifier`. The thread ends, and the notifier is dropped,
    /// after the last handle to these notifiers is gone; a notifier that itself holds a handle never ends.
    ///
    /// # Errors
    ///
    /// If the system cannot start another thread.
    pub fn add(&self, notifier: impl Notifier) -> io::Result<()> {
        let events = self.ring().subscribe();
        // Read after subscribing, while `emit` counts before it sends. So a lost event can be missing in the count, but
        // no delivered event is in it.
        let start = self.0.sent.load(Ordering::Relaxed);
        let worker = Worker::spawn(notifier, events, start)?;
        self.workers().push(worker);
        Ok(())
    }

    /// Starts a stream of the events from now on, for an asynchronous reader.
    #[must_use]
    pub fn subscribe(&self) -> EventStream {
        EventStream::new(self.ring().subscribe())
    }

    /// Whether there is a notifier or a stream.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.listeners() > 0
    }

    /// How many events the notifiers have lost because they were too slow or are stuck. Counts each event once for each
    /// notifier that lost it. Streams count for themselves: [`EventStream::missed`].
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let sent = self.0.sent.load(Ordering::Relaxed);
        self.workers().iter().fold(0, |sum, worker| sum.saturating_add(worker.lost(sent)))
    }

    /// Reports an event, which is made only if there is a listener or `tracing` is on. Never waits and never panics: it
    /// is called in `Drop`, inside and outside of a runtime. Not to be called with a lock held.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        let heard = self.has_listeners();
        if !heard && !trace::enabled() {
            return;
        }
        let event = event();
        trace::record(&event);
        if let Some(ring) = self.0.ring.get().filter(|_| heard) {
            self.0.sent.fetch_add(1, Ordering::Relaxed);
            // Fails only if the listeners have left meanwhile. The wakers of their tasks are foreign code.
            let _ = shielded(|| ring.send(event));
        }
    }

    /// Whether an event would reach a listener or a `tracing` subscriber.
    pub(crate) fn is_heard(&self) -> bool {
        self.has_listeners() || trace::enabled()
    }

    fn ring(&self) -> &Sender<Event> {
        self.0.ring.get_or_init(|| Sender::new(CAPACITY))
    }

    fn listeners(&self) -> usize {
        self.0.ring.get().map_or(0, Sender::receiver_count)
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Arc<Worker>>> {
        self.0.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifiers").field("listeners", &self.listeners()).field("dropped", &self.dropped()).finish()
    }
}

#[cfg(test)]
mod tests;
