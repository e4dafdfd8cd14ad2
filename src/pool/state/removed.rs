//! Credentials that a caller has removed, kept until the store knows it and their refresh is over. One that is added
//! again with the same secret continues from there, because otherwise its refresh token could be sent a second time.

use std::sync::Arc;

use super::{PoolEntry, State};
use crate::credentials::{Credential, CredentialId, Generation, Material};
use crate::pool::record_turn::RecordTurn;
use crate::store::Record;
use crate::tokens::refresh::across::{StoreRelation, is_same};

/// What is kept of a removed credential.
#[derive(Debug, Clone)]
pub(in crate::pool) struct Removed {
    material: Material,
    pub(super) generation: Generation,
    relation: StoreRelation,
    pub(super) record_turn: Arc<RecordTurn>,
}

impl Removed {
    fn of(entry: &PoolEntry) -> Self {
        Self {
            material: entry.credential.material.clone(),
            generation: entry.access.generation,
            relation: entry.relation,
            record_turn: entry.record_turn.clone(),
        }
    }

    /// How the same secret relates to the store once it is added again: it is stored, whether or not the removal was,
    /// and a token that its refresh has brought replaces it.
    pub(super) fn relation_again(&self) -> StoreRelation {
        let given = StoreRelation::given(self.generation);
        match (self.relation.is_put_in(), self.relation.is_addition()) {
            (true, _) => given.put_in(),
            (_, true) => StoreRelation::added(),
            _ => given,
        }
    }

    /// Notes that the store holds or held this record.
    pub(super) fn has_held(&mut self, record: &Record) {
        self.relation.has_held(record, &self.material);
    }
}

impl State {
    /// Removes a credential for a caller, and notes the removal for the store.
    pub(in crate::pool) fn remove_for_good(&mut self, id: &str) -> Option<PoolEntry> {
        let entry = self.remove(id)?;
        let id = &entry.credential.id;
        self.outbox.change(id);
        if self.outbox.is_changed(id) || entry.refreshing.is_under_way() {
            self.removed.insert(id.clone(), Removed::of(&entry));
        }
        Some(entry)
    }

    /// What was kept when this credential was removed, if it is added again with the same secret.
    pub(super) fn removed(&self, added: &Credential) -> Option<&Removed> {
        self.removed.get(&added.id).filter(|removed| is_same(&removed.material, &added.material))
    }

    /// The turn to write the record of a credential, even if it was removed: its refresh may still hold the turn.
    pub(in crate::pool) fn record_turn_of(&self, id: &CredentialId) -> Option<Arc<RecordTurn>> {
        let held = self.find(id.as_str()).map(|entry| &entry.record_turn);
        held.or_else(|| self.removed.get(id).map(|removed| &removed.record_turn)).cloned()
    }

    /// Forgets a removal, once the credential is back or there is nothing left to wait for. Drop the result after the
    /// lock.
    pub(in crate::pool) fn forget_removed(&mut self, id: &CredentialId) -> Option<Removed> {
        let is_over = self.place_of(id.as_str()).is_some() || !self.outbox.is_changed(id);
        if is_over { self.removed.remove(id) } else { None }
    }
}
