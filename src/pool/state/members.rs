//! The members of a pool: adds credentials, gives them another secret or label, and removes them.

use std::collections::HashSet;
use std::sync::Arc;

use super::cooldowns::Cooldowns;
use super::refreshing::RefreshState;
use super::{PoolEntry, State};
use crate::credentials::{Credential, CredentialId, Generation, Secret};
use crate::pool::prepared::{Access, Slot};
use crate::pool::record_turn::RecordTurn;
use crate::tokens::refresh::across::{StoreRelation, is_same};
use crate::verdict::Kind;

/// Where a credential that is being added comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Arrival {
    /// The store holds it in this generation.
    Stored(Generation),
    /// Code or a person has given it. `follows` says whether the pool follows its store.
    Given { follows: bool },
}

/// The place, the generation and the relation to the store that a new credential gets.
#[derive(Debug)]
#[must_use = "a place that is not used has to be given back"]
pub(in crate::pool) struct Admission {
    pub(in crate::pool) place: u32,
    pub(in crate::pool) generation: Generation,
    arrival: Arrival,
    relation: StoreRelation,
    record_turn: Arc<RecordTurn>,
}

impl State {
    /// Finds a place and a generation for a credential whose id is free. Its headers are built with them, before it is
    /// [inserted](State::insert).
    pub(in crate::pool) fn admit(&mut self, credential: &Credential, arrival: Arrival) -> Admission {
        let again = self.removed(credential).filter(|_| matches!(arrival, Arrival::Given { .. }));
        // Greater than the generation of any earlier secret of the same id, so that no late outcome is mistaken for one
        // of this secret. A store ensures this itself.
        let generation = match (arrival, again) {
            (Arrival::Stored(generation), _) => generation,
            (Arrival::Given { .. }, Some(again)) => again.generation,
            (Arrival::Given { .. }, None) => self.newest.next(),
        };
        let relation = match (arrival, again) {
            (Arrival::Stored(generation), _) => StoreRelation::stored(generation),
            (Arrival::Given { .. }, Some(again)) => again.relation_again(),
            (Arrival::Given { follows: false }, None) => StoreRelation::given(generation),
            // The removal of the earlier credential of this id is still to be written to the store.
            (Arrival::Given { follows: true }, None) if self.is_unsaved(&credential.id) => {
                StoreRelation::added().put_in()
            }
            (Arrival::Given { follows: true }, None) => StoreRelation::added(),
        };
        let record_turn = again.map_or_else(Arc::default, |again| again.record_turn.clone());
        let place = self.free.pop().unwrap_or_else(|| u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        Admission { place, generation, arrival, relation, record_turn }
    }

    /// Adds a credential at the back of the order. If it does not come from the store, the store is to learn of it.
    pub(in crate::pool) fn insert(&mut self, credential: Credential, access: Arc<Access>, admission: Admission) {
        let Admission { place, arrival, relation, record_turn, .. } = admission;
        let id = credential.id.clone();
        self.places.insert(id.clone(), place);
        let entry = PoolEntry {
            credential,
            access,
            cooldowns: Cooldowns::default(),
            models: Vec::new(),
            out: None,
            failures: 0,
            faults: 0,
            is_noted_as_failing: false,
            refreshing: RefreshState::default(),
            relation,
            record_turn,
        };
        let at = place as usize;
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, || None);
        }
        if let Some(vacant) = self.entries.get_mut(at) {
            *vacant = Some(entry);
        }
        self.rotation.move_to_back(place);
        self.forget_removed(&id);
        if matches!(arrival, Arrival::Given { .. }) {
            self.outbox.change(&id);
        }
    }

    /// Takes back the place of a credential that is not added after all.
    pub(in crate::pool) fn decline(&mut self, admission: Admission) {
        if (admission.place as usize) < self.entries.len() {
            self.free.push(admission.place);
        }
    }

    /// Removes a credential. Drop the entry after the lock is released: that wakes the requests which wait for its
    /// refresh.
    #[must_use]
    pub(in crate::pool) fn remove(&mut self, id: &str) -> Option<PoolEntry> {
        let place = self.places.remove(id)?;
        self.forget_models(place, |_| true);
        self.rotation.take_out(place);
        self.free.push(place);
        let entry = self.entries.get_mut(place as usize)?.take()?;
        self.newest = self.newest.max(entry.access.generation);
        Some(entry)
    }

    /// The place and the id of the credential that holds this refresh token.
    pub(in crate::pool) fn holder_of(&self, refresh: &Secret) -> Option<(u32, CredentialId)> {
        let holds = |entry: &&PoolEntry| entry.credential.material.refresh_token() == Some(refresh);
        self.entries().find(holds).map(|entry| (entry.access.slot.place, entry.credential.id.clone()))
    }

    /// The slot and the generation for a credential that is to be [put in](State::put_in) at this place. `None` if it
    /// is already there.
    pub(in crate::pool) fn replacement(&self, place: u32, credential: &Credential) -> Option<(Arc<Slot>, Generation)> {
        let entry = self.entry(place).filter(|entry| entry.credential != *credential)?;
        // Another label or header is no change of the secret: it does not keep a refresh from being published, and what
        // the provider or its OAuth server has said of the secret still holds.
        let is_same = is_same(&entry.credential.material, &credential.material);
        let generation = if is_same { entry.access.generation } else { entry.access.generation.next() };
        Some((entry.access.slot.clone(), generation))
    }

    /// Gives a credential another secret, label or header, as a person asks. The store is to learn of it.
    pub(in crate::pool) fn put_in(&mut self, place: u32, credential: Credential, access: Arc<Access>) {
        let Some(entry) = self.entry(place) else { return };
        let (is_same, relation) = (is_same(&entry.credential.material, &credential.material), entry.relation.put_in());
        self.outbox.change(&credential.id);
        match is_same {
            true => self.relabel(place, credential, access),
            false => self.replace_secret(place, credential, access, relation),
        }
    }

    /// Gives a credential a new secret. Failures that concern the old secret are forgotten; other cooldowns stay.
    pub(super) fn replace_secret(
        &mut self,
        place: u32,
        credential: Credential,
        access: Arc<Access>,
        relation: StoreRelation,
    ) {
        let Some(entry) = self.entry_mut(place) else { return };
        // A secret that the provider refused stays refused until another one replaces it.
        let forced = entry.refreshing.forced && is_same(&entry.credential.material, &credential.material);
        access.slot.set_label(&credential);
        entry.credential = credential;
        entry.access = access;
        entry.relation = relation;
        entry.refreshing.settled();
        entry.refreshing.forced = forced;
        let was_out = entry.out.take().is_some();
        entry.cooldowns.retain(|cooldown| !matches!(cooldown.cause, Kind::Unauthorized | Kind::Forbidden));
        self.reschedule(place, was_out);
    }

    /// Gives a credential another label, header or generation, while its secret stays.
    pub(super) fn relabel(&mut self, place: u32, credential: Credential, access: Arc<Access>) {
        let Some(entry) = self.entry_mut(place) else { return };
        access.slot.set_label(&credential);
        entry.credential = credential;
        entry.access = access;
    }

    /// Puts the ready credentials in this order.
    pub(in crate::pool) fn put_in_order(&mut self, order: &[CredentialId]) {
        for id in order {
            if let Some(place) = self.place_of(id.as_str()) {
                self.move_to_back(place);
            }
        }
    }

    /// The ids of all credentials that are not among these.
    pub(in crate::pool) fn others_than(&self, ids: &HashSet<CredentialId>) -> Vec<CredentialId> {
        self.ids().filter(|id| !ids.contains(*id)).cloned().collect()
    }
}
