//! Hearing of changes of a store.

#[cfg(feature = "file-store")]
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::sync::watch;

/// Tells that a store has changed. [`Store::watch`](super::Store::watch) gives it out.
///
/// It does not say what has changed: load again, and compare the revisions. One's own changes are told of too.
#[derive(Debug)]
pub struct Changes(Source);

#[derive(Debug)]
enum Source {
    Never,
    Told(watch::Receiver<()>),
    #[cfg(feature = "file-store")]
    Looked {
        interval: Duration,
        next: Instant,
        at: Box<dyn Look>,
    },
}

/// Looks whether something has changed since the last look.
#[cfg(feature = "file-store")]
pub(super) trait Look: std::fmt::Debug + Send + Sync {
    fn look(&mut self) -> Looking<'_>;
}

#[cfg(feature = "file-store")]
pub(super) type Looking<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

impl Changes {
    /// Never tells of anything.
    #[must_use]
    pub fn never() -> Self {
        Self(Source::Never)
    }

    /// Looks again and again, only while somebody waits.
    #[cfg(feature = "file-store")]
    pub(super) fn by_looking(interval: Duration, at: impl Look + 'static) -> Self {
        Self(Source::Looked { interval, next: crate::clock::now(), at: Box::new(at) })
    }

    /// Waits until the store has changed since this method was last ready, or since [`Changes`] was made. Several changes
    /// may be told as one. It may be dropped at any time: what it would have told is told by the next call.
    pub async fn changed(&mut self) {
        let told = match &mut self.0 {
            Source::Never => false,
            Source::Told(receiver) => receiver.changed().await.is_ok(),
            #[cfg(feature = "file-store")]
            Source::Looked { interval, next, at } => loop {
                // Kept between calls, so that one who asks often and briefly sees changes too.
                crate::sync::time::sleep_until((*next).into()).await;
                let changed = at.look().await;
                *next = crate::clock::now() + *interval;
                if changed {
                    break true;
                }
            },
        };
        if !told {
            // Nobody is left to tell.
            std::future::pending().await
        }
    }
}

/// The other end of [`Changes`], for stores that know when they change.
#[derive(Debug, Clone, Default)]
pub struct ChangeNotifier(watch::Sender<()>);

impl ChangeNotifier {
    /// One that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells all who listen.
    pub fn notify(&self) {
        self.0.send_replace(());
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        Changes(Source::Told(self.0.subscribe()))
    }
}
