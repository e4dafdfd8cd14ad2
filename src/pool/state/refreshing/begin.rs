//! The beginning of a refresh: a token is marked as refused, requests join, and the task learns what it starts from.

use std::sync::Arc;
use std::time::Instant;

use super::{Need, RefreshOutcome};
use crate::credentials::Generation;
use crate::pool::prepared::Slot;
use crate::pool::record_turn::RecordTurn;
use crate::pool::state::State;
use crate::sync::oneshot;
use crate::tokens::refresh::across::Held;

/// A refresh that has just begun.
#[derive(Debug)]
pub(in crate::pool) struct BegunRefresh {
    pub(in crate::pool) slot: Arc<Slot>,
    pub(in crate::pool) record_turn: Arc<RecordTurn>,
    /// The generation of the token that is to be replaced.
    pub(in crate::pool) replaces: Generation,
}

impl State {
    /// Marks the token of this generation as refused, so that it is refreshed before its next use. False if there is
    /// another token by now, no way to replace it, or a forced refresh was a moment ago.
    pub(in crate::pool) fn invalidate(&mut self, id: &str, seen: Generation, has_source: bool, now: Instant) -> bool {
        let Some(entry) = self.place_of(id).and_then(|place| self.entry_mut(place)) else { return false };
        let is_refreshable = has_source && entry.is_refreshable();
        if entry.access.generation != seen || !is_refreshable || !entry.refreshing.may_force(now) {
            return false;
        }
        entry.refreshing.force(now);
        true
    }

    /// Joins the refresh of a credential that is under way, or begins one and returns it. Without a `waiter` the caller
    /// does not wait for it.
    #[must_use]
    pub(in crate::pool) fn join_refresh(
        &mut self,
        place: u32,
        waiter: Option<oneshot::Sender<RefreshOutcome>>,
    ) -> Option<BegunRefresh> {
        let entry = self.entry_mut(place)?;
        let is_begun = !entry.refreshing.is_under_way();
        entry.refreshing.join(waiter);
        is_begun.then(|| BegunRefresh {
            slot: entry.access.slot.clone(),
            record_turn: entry.record_turn.clone(),
            replaces: entry.access.generation,
        })
    }

    /// The credential that a refresh starts from. `None` if the pool holds another token by now, which needs no
    /// refresh. `follows` says whether the pool follows its store.
    pub(in crate::pool) fn held_for_refresh(
        &mut self,
        slot: &Arc<Slot>,
        replaces: Generation,
        follows: bool,
        now: Instant,
    ) -> Option<Held> {
        let entry = self.owner(slot)?;
        if entry.access.generation != replaces && entry.refresh_need(now) == Need::Nothing {
            return None;
        }
        Some(Held {
            credential: entry.credential.clone(),
            generation: entry.access.generation,
            relation: entry.relation,
            follows,
            insists: false,
            begun: None,
        })
    }
}
