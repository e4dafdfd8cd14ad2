//! Takes over what the store holds of a credential.

use std::collections::HashSet;
use std::sync::Arc;

use crate::credentials::{Credential, CredentialId};
use crate::pool::prepared::{Access, Slot};
use crate::pool::record_turn::RecordTurn;
use crate::pool::state::State;
use crate::store::Record;
use crate::tokens::refresh::across::{Newer, StoreRelation, is_same, newer};

impl State {
    /// Learns that the store holds this record of the credential at this place. Returns its slot if the record is to be
    /// [taken over](State::take_record): it has a newer secret, or the same one with another label, header or generation.
    pub(in crate::pool) fn learn_stored(&mut self, place: u32, record: &Record) -> Option<Arc<Slot>> {
        let entry = self.entry_mut(place)?;
        entry.relation.has_held(record, &entry.credential.material);
        let newer = newer(&entry.relation, &entry.credential.material, record);
        let is_alike = entry.access.generation == record.generation && entry.credential == record.credential;
        (newer != Newer::Ours && !is_alike).then(|| entry.access.slot.clone())
    }

    /// Takes over a credential that others have stored. Says whether its secret is another one.
    pub(in crate::pool) fn take_record(&mut self, place: u32, credential: Credential, access: Arc<Access>) -> bool {
        let Some(entry) = self.entry_mut(place) else { return false };
        if is_same(&entry.credential.material, &credential.material) {
            // A refresh has brought the same token. The provider is asked with it before it is refreshed again.
            entry.refreshing.forced &= entry.access.generation >= access.generation;
        }
        self.go_on_with(place, credential, access)
    }

    /// Learns what the store has taken of the credential at this place. Returns its slot if the pool is to
    /// [go on](State::go_on_with) with that: not if it holds something else by now than `ours`, which was written.
    pub(in crate::pool) fn learn_written(
        &mut self,
        place: u32,
        written: &Record,
        ours: Option<&Credential>,
    ) -> Option<Arc<Slot>> {
        let entry = self.entry_mut(place)?;
        entry.relation.has_held(written, &entry.credential.material);
        let is_other = entry.access.generation != written.generation || entry.credential != written.credential;
        (is_other && ours == Some(&entry.credential)).then(|| entry.access.slot.clone())
    }

    /// Goes on with a credential that the store holds. Says whether its secret is another one.
    pub(in crate::pool) fn go_on_with(&mut self, place: u32, credential: Credential, access: Arc<Access>) -> bool {
        let Some(entry) = self.entry(place) else { return false };
        let is_same = is_same(&entry.credential.material, &credential.material);
        match is_same {
            true => self.relabel(place, credential, access),
            false => {
                let relation = StoreRelation::stored(access.generation);
                self.replace_secret(place, credential, access, relation);
            }
        }
        !is_same
    }

    /// Notes that the store holds this record of the credential whose turn this is, also if it was removed, or is back.
    pub(in crate::pool) fn has_held(&mut self, record_turn: &Arc<RecordTurn>, record: &Record) {
        let id = &record.credential.id;
        let place = self.place_of(id.as_str());
        if let Some(entry) = place.and_then(|place| self.entry_mut(place)) {
            if Arc::ptr_eq(&entry.record_turn, record_turn) {
                entry.relation.has_held(record, &entry.credential.material);
            }
        } else if let Some(removed) = self.removed.get_mut(id)
            && Arc::ptr_eq(&removed.record_turn, record_turn)
        {
            removed.has_held(record);
        }
    }

    /// Notes that the store has removed a credential as it was asked to. One that was added again meanwhile is new to it.
    pub(in crate::pool) fn removed_from_store(&mut self, id: &CredentialId) {
        let place = self.place_of(id.as_str());
        if let Some(entry) = place.and_then(|place| self.entry_mut(place))
            && !entry.relation.is_put_in()
        {
            entry.relation = StoreRelation::added();
        }
    }

    /// The credentials that the store has held, and that are not among these, which it holds now.
    pub(in crate::pool) fn gone_from_store(&self, ids: &[CredentialId]) -> Vec<CredentialId> {
        let ids: HashSet<_> = ids.iter().collect();
        let gone = self.entries().filter(|entry| entry.relation.is_stored && !ids.contains(&entry.credential.id));
        let gone = gone.filter(|entry| !self.is_unsaved(&entry.credential.id));
        gone.map(|entry| entry.credential.id.clone()).collect()
    }
}
