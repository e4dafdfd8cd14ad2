//! Reserves room on the disk for the tokens of a refresh, before the refresh begins.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::save::Draft;
use crate::store::{Record, StoreKey};

/// How many bytes new tokens may add to the store.
const TOKENS: usize = 32 * 1024;

/// The room that a change needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Room {
    /// The change needs no more than its own text.
    AsNeeded,
    /// A refresh of this key begins: room for its end is reserved as well.
    Begins(StoreKey),
    /// A refresh of this key may end: the change uses the reserved room.
    Ends(StoreKey),
}

/// The drafts that hold room for the refreshes that this handle has begun.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<HashMap<StoreKey, Draft>>);

impl Room {
    /// The room that a change of a record needs. A change that leaves the intent as it is neither begins nor ends a
    /// refresh.
    pub(super) fn of(key: &StoreKey, held: Option<&Record>, next: Option<&Record>) -> Self {
        let intent = |record: Option<&Record>| record.and_then(|it| it.intent.clone()).filter(|intent| !intent.ended);
        match intent(next) {
            None => Self::Ends(key.clone()),
            intended if intended == intent(held) => Self::AsNeeded,
            Some(_) => Self::Begins(key.clone()),
        }
    }
}

impl Rooms {
    fn drafts(&self) -> MutexGuard<'_, HashMap<StoreKey, Draft>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves room for the end of a refresh, if one is about to begin. `size` is the size that the store will have
    /// then, in bytes.
    pub(super) fn before(room: &Room, path: &Path, size: usize) -> io::Result<Option<(StoreKey, Draft)>> {
        match room {
            Room::Begins(key) => Ok(Some((key.clone(), Draft::with_room(path, (size + TOKENS) as u64)?))),
            Room::AsNeeded | Room::Ends(_) => Ok(None),
        }
    }

    /// Keeps the reserved room for the end of a refresh that has begun.
    pub(super) fn keep(&self, taken: Option<(StoreKey, Draft)>) {
        self.drafts().extend(taken);
    }

    /// The reserved draft for this change, if there is one.
    pub(super) fn taken(&self, room: &Room) -> Option<Draft> {
        match room {
            Room::Ends(key) => self.drafts().remove(key),
            Room::AsNeeded | Room::Begins(_) => None,
        }
    }

    /// Returns a draft whose change could not be written, so that its room stays reserved.
    pub(super) fn give_back(&self, room: &Room, draft: Draft) {
        if let Room::Ends(key) = room {
            self.drafts().insert(key.clone(), draft);
        }
    }
}
