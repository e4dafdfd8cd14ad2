//! How a store reports its changes.

#[cfg(feature = "file-store")]
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::sync::watch;

/// Reports that a store has changed. [`Store::watch`](super::Store::watch) returns one.
///
/// It does not say what has changed: load again, and compare the revisions. A process's own changes are reported to it
/// too.
#[derive(Debug)]
pub struct Changes(Source);

#[derive(Debug)]
enum Source {
    Never,
    Told(watch::Receiver<()>),
    #[cfg(feature = "file-store")]
    Compared {
        interval: Duration,
        next: Instant,
        at: Box<dyn Compare>,
    },
}

/// Compares a store with its state at the last comparison.
#[cfg(feature = "file-store")]
pub(super) trait Compare: std::fmt::Debug + Send + Sync {
    fn has_changed(&mut self) -> Comparing<'_>;
}

#[cfg(feature = "file-store")]
pub(super) type Comparing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

impl Changes {
    /// Never reports a change.
    #[must_use]
    pub fn never() -> Self {
        Self(Source::Never)
    }

    /// Compares at intervals, but only while a caller waits.
    #[cfg(feature = "file-store")]
    pub(super) fn by_comparing(interval: Duration, at: impl Compare + 'static) -> Self {
        Self(Source::Compared { interval, next: crate::clock::now(), at: Box::new(at) })
    }

    /// Waits until the store has changed since this method was last ready, or since [`Changes`] was made. Several changes
    /// may be reported as one. The future may be dropped at any time: the next call then reports the change.
    pub async fn changed(&mut self) {
        let told = match &mut self.0 {
            Source::Never => false,
            Source::Told(receiver) => receiver.changed().await.is_ok(),
            #[cfg(feature = "file-store")]
            Source::Compared { interval, next, at } => loop {
                // Kept between calls, so that a caller that waits often and briefly sees changes too.
                crate::sync::time::sleep_until((*next).into()).await;
                let changed = at.has_changed().await;
                *next = crate::clock::now() + *interval;
                if changed {
                    break true;
                }
            },
        };
        if !told {
            // No change will ever come.
            std::future::pending().await
        }
    }
}

/// The sending end of [`Changes`], for stores that know when they change.
#[derive(Debug, Clone, Default)]
pub struct ChangeNotifier(watch::Sender<()>);

impl ChangeNotifier {
    /// A notifier without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a change to all listeners.
    pub fn notify(&self) {
        self.0.send_replace(());
    }

    /// Starts to listen.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        Changes(Source::Told(self.0.subscribe()))
    }
}
