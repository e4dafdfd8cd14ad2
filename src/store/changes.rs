//! Hearing of changes of a store.

use tokio::sync::watch;

/// Tells that a store has changed. [`Store::watch`](super::Store::watch) gives it out.
///
/// It does not say what has changed: load again, and compare the revisions. One's own changes are told of too.
#[derive(Debug)]
pub struct Changes(Source);

#[derive(Debug)]
enum Source {
    Never,
    Told(watch::Receiver<()>),
}

impl Changes {
    /// Never tells of anything.
    #[must_use]
    pub fn never() -> Self {
        Self(Source::Never)
    }

    /// Waits until the store has changed since this method was last ready, or since [`Changes`] was made. Several changes
    /// may be told as one. It may be dropped at any time: what it would have told is told by the next call.
    pub async fn changed(&mut self) {
        let told = match &mut self.0 {
            Source::Never => false,
            Source::Told(receiver) => receiver.changed().await.is_ok(),
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
