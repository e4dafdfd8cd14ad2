//! The task that writes the notes of a store, while there are any.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::shared::SharedFile;
use crate::credentials::Generation;
use crate::store::{HealthChange, StoreKey};

/// The least time between two writes.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest pause between two writes after failures.
const LONGEST: Duration = Duration::from_secs(60);

/// Notes a change of health, and starts the task that writes such notes, unless it runs. Without a runtime only a flush
/// writes them.
pub(super) fn note(shared: &Arc<SharedFile>, key: &StoreKey, generation: Generation, change: HealthChange) {
    if change.is_empty() || shared.notes.add(key.clone(), generation, change) {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    if shared.notes.attend() {
        return;
    }
    // Spawned while no lock is held: a runtime that is shutting down drops the task at once, and with it the guard.
    let attendant = Attendant { shared: shared.clone(), done: false };
    runtime.spawn(async move { attendant.write().await });
}

/// The task that writes the notes of a store until there are none.
struct Attendant {
    shared: Arc<SharedFile>,
    done: bool,
}

impl Attendant {
    async fn write(mut self) {
        let mut pause = INTERVAL;
        loop {
            tokio::time::sleep(pause).await;
            match self.shared.write_notes().await {
                Ok(()) => pause = INTERVAL,
                Err(error) => {
                    pause = (pause * 2).min(LONGEST);
                    tracing::warn!(target: "oauth_marathon", store = %self.shared.path().display(), %error, "the health of credentials could not be stored; it is tried again");
                }
            }
            if self.shared.notes.leave_if_empty() {
                self.done = true;
                return;
            }
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        if !self.done {
            self.shared.notes.leave();
        }
    }
}
