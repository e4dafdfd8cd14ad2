//! Faults: failures that are not the credential's. They begin no cooldown, but after a few in a row a credential that
//! serves is used first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::StatusCode;

use super::{PoolEntry, State};
use crate::pool::prepared::Slot;
use crate::verdict::{Kind, Verdict};

/// How many faults in a row it takes until requests begin with another credential that serves.
const MANY: u32 = 3;

/// How many ready credentials are compared at most.
const COMPARED: usize = 16;

impl State {
    /// Counts a failed attempt. A provider may fail for one credential alone, for example if its requests go to another
    /// region. So after a few faults in a row this credential goes to the back, if another one's last answer was a success.
    pub(super) fn note_fault(&mut self, place: u32, verdict: &Verdict, model: Option<&Arc<str>>) {
        let Some(entry) = self.entry_mut(place) else { return };
        match verdict.kind() {
            Kind::ServerError | Kind::Overloaded | Kind::Network => entry.faults = entry.faults.saturating_add(1),
            // A canceled attempt says nothing about the provider.
            Kind::Canceled => {}
            _ => entry.faults = 0,
        }
        entry.set_troubled();
        if entry.faults >= MANY && self.rotation.is_queued(place) {
            let others = self.ready(model).filter(|other| *other != place).take(COMPARED);
            if others.filter_map(|other| self.entry(other)).any(PoolEntry::serves) {
                self.rotation.move_to_back(place);
            }
        }
    }

    /// Ends the row of faults after a success.
    pub(super) fn end_faults(&mut self, slot: &Arc<Slot>) {
        if let Some(entry) = self.owner(slot).filter(|entry| entry.faults > 0) {
            entry.faults = 0;
            entry.set_troubled();
        }
    }
}

impl PoolEntry {
    /// Whether its last answer was a success.
    pub(super) fn serves(&self) -> bool {
        let status = StatusCode::from_u16(self.access.slot.last_status.load(Relaxed));
        self.faults == 0 && status.is_ok_and(|status| status.is_success())
    }
}
