//! Taking a credential out, until a person acts.

use std::time::Instant;

use super::stored::outbox::NotedStep;
use super::{Effects, PoolEntry, State};
use crate::verdict::OutReason;

impl State {
    /// Takes a credential out until a person acts, and notes it for the store.
    pub(super) fn take_out(&mut self, place: u32, reason: OutReason, now: Instant) -> Effects {
        if let Some(Some(entry)) = self.entries.get(place as usize) {
            self.outbox.note(&entry.credential.id, entry.access.generation, || NotedStep::Out(reason));
        }
        self.leave(place, reason, now)
    }

    /// Does the same as [`State::take_out`] for a change that comes from the store, and so need not be written back.
    fn leave(&mut self, place: u32, reason: OutReason, now: Instant) -> Effects {
        let was_ready = self.rotation.is_queued(place);
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        let slot = entry.access.slot.clone();
        entry.out = Some(reason);
        let is_news = entry.refreshing.report_once();
        self.rotation.take_out(place);
        let dry = was_ready && self.rotation.first().is_none();
        Effects {
            out: is_news.then_some((slot, reason)),
            ran_dry: dry.then(|| self.recovery_after(None, now)),
            ..Effects::default()
        }
    }

    /// Takes a credential out because another process has. If its access token is still good without the refresh token,
    /// it is used until that expires.
    pub(super) fn out_elsewhere(&mut self, place: u32, reason: OutReason, now: Instant) -> Effects {
        let Some(entry) = self.entry_mut(place) else { return Effects::default() };
        if matches!(reason, OutReason::RefreshRefused | OutReason::RefreshLost) {
            entry.refreshing.login_lost = Some(reason);
            let is_valid = entry.access.expires_at.is_none_or(|end| end > now) && !entry.refreshing.forced;
            if is_valid {
                let is_news = entry.refreshing.report_once();
                let news = is_news.then(|| (entry.access.slot.clone(), reason));
                return Effects { out: news, ..Effects::default() };
            }
        }
        if entry.out == Some(reason) { Effects::default() } else { self.leave(place, reason, now) }
    }

    /// Puts a credential back to use that was out, because another process has done so.
    pub(super) fn back_in(&mut self, place: u32) {
        let Some(entry) = self.entry_mut(place) else { return };
        entry.refreshing.login_lost = None;
        let was_out = entry.end_out();
        self.reschedule(place, was_out);
    }
}

impl PoolEntry {
    /// Ends that the credential is out. True if it was. If it goes out again, an event reports it again.
    pub(super) fn end_out(&mut self) -> bool {
        let was_out = self.out.take().is_some();
        self.refreshing.is_reported &= !was_out;
        was_out
    }
}
