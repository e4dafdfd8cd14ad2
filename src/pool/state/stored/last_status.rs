//! Notes statuses of a credential for the store: that of a failure that changes its health, and that of the first
//! success after it.

use std::sync::atomic::Ordering::Relaxed;

use http::StatusCode;

use crate::pool::state::{AttemptRef, PoolEntry, State};
use crate::store::LastStatus;
use crate::verdict::Verdict;

impl State {
    /// Notes the status of a failure that has changed a credential's health, if the failure has a status.
    pub(in crate::pool::state) fn note_failure(&mut self, place: u32, verdict: &Verdict) {
        let Self { entries, outbox, .. } = self;
        let Some(Some(entry)) = entries.get_mut(place as usize) else { return };
        let Some(status) = verdict.status().filter(|_| outbox.is_attended()) else { return };
        outbox.answered(&entry.credential.id, entry.access.generation, status);
        entry.is_noted_as_failing = !status.is_success();
        entry.set_troubled();
    }

    /// Notes the first success after a noted failure. Later successes say nothing new and take no lock.
    pub(in crate::pool::state) fn note_success(&mut self, attempt: AttemptRef<'_>) {
        let Self { entries, outbox, .. } = self;
        let Some(Some(entry)) = entries.get_mut(attempt.slot.place as usize) else { return };
        if !entry.is_noted_as_failing || !entry.is_of(attempt.slot) || entry.access.generation != attempt.generation {
            return;
        }
        let status = StatusCode::from_u16(attempt.slot.last_status.load(Relaxed)).unwrap_or(StatusCode::OK);
        outbox.answered(&entry.credential.id, attempt.generation, status);
        entry.is_noted_as_failing = false;
        entry.set_troubled();
    }
}

impl PoolEntry {
    /// Takes over the last status that is stored.
    pub(in crate::pool::state) fn know_last_status(&mut self, stored: Option<LastStatus>) {
        let Some(LastStatus { status, .. }) = stored else { return };
        // An answer that this process has had itself takes precedence.
        let _ = self.access.slot.last_status.compare_exchange(0, status.as_u16(), Relaxed, Relaxed);
        self.is_noted_as_failing = !status.is_success();
        self.set_troubled();
    }
}
