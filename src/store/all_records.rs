//! All records of a store as plain data, with the rules of reading and changing them. The stores that hold everything
//! in memory share it.

use std::collections::BTreeMap;

use super::{CasOutcome, Entry, HealthChange, Record, Revision, StoreKey};
use crate::credentials::{CredentialId, Generation};
use crate::error::{Error, ErrorKind};

/// All records of a store, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AllRecords {
    /// The last revision that was given out.
    pub(super) revision: u64,
    pub(super) providers: BTreeMap<String, ProviderRecords>,
}

/// The records of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ProviderRecords {
    pub(super) entries: Vec<Entry>,
    /// The latest generation among the removed records.
    pub(super) removed: Generation,
}

impl ProviderRecords {
    fn position(&self, id: &CredentialId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.record.credential.id == *id)
    }
}

impl AllRecords {
    pub(super) fn get(&self, key: &StoreKey) -> Option<&Entry> {
        let records = self.providers.get(key.provider())?;
        records.entries.iter().find(|entry| entry.record.credential.id == *key.credential())
    }

    pub(super) fn all(&self, provider: &str) -> Vec<Entry> {
        self.providers.get(provider).map(|records| records.entries.clone()).unwrap_or_default()
    }

    /// The providers that have records.
    pub(super) fn names(&self) -> Vec<String> {
        let filled = self.providers.iter().filter(|(_, records)| !records.entries.is_empty());
        filled.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn compare_and_set(
        &mut self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, Error> {
        let held = self.get(key);
        if held.map(|entry| entry.revision) != expected {
            return Ok(CasOutcome::Conflict(held.cloned()));
        }
        if let Some(next) = &next {
            fits(key, next, held)?;
        }
        let revision = self.next_revision()?;
        let records = self.providers.entry(key.provider().to_owned()).or_default();
        let position = records.position(key.credential());
        let Some(mut record) = next else {
            if let Some(position) = position {
                let gone = records.entries.remove(position);
                records.removed = records.removed.max(gone.record.generation);
            }
            return Ok(CasOutcome::Removed);
        };
        if position.is_none() && records.removed > Generation::default() {
            record.generation = record.generation.max(records.removed.next());
        }
        let entry = Entry::new(record, revision);
        match position.and_then(|position| records.entries.get_mut(position)) {
            Some(held) => *held = entry.clone(),
            None => records.entries.push(entry.clone()),
        }
        Ok(CasOutcome::Stored(entry))
    }

    /// Puts the records in this order, and says whether that changed anything.
    pub(super) fn set_order(&mut self, provider: &str, order: &[CredentialId]) -> bool {
        let Some(records) = self.providers.get_mut(provider) else { return false };
        let ids = |records: &ProviderRecords| -> Vec<_> {
            records.entries.iter().map(|entry| entry.record.credential.id.clone()).collect()
        };
        let before = ids(records);
        let rank = |entry: &Entry| order.iter().position(|id| *id == entry.record.credential.id).unwrap_or(order.len());
        records.entries.sort_by_key(rank);
        ids(records) != before
    }

    /// Applies a change of health, and says whether that changed anything.
    pub(super) fn note(
        &mut self,
        key: &StoreKey,
        generation: Generation,
        change: &HealthChange,
    ) -> Result<bool, Error> {
        let Some(mut entry) = self.get(key).cloned() else { return Ok(false) };
        let before = entry.record.health.clone();
        change.apply(&mut entry.record.health);
        // A change that came from an older secret says nothing about the newer one.
        if entry.record.generation > generation || entry.record.health == before {
            return Ok(false);
        }
        let expected = Some(entry.revision);
        Ok(matches!(self.compare_and_set(key, expected, Some(entry.record))?, CasOutcome::Stored(_)))
    }

    fn next_revision(&mut self) -> Result<Revision, Error> {
        let message = "the store has given out all revisions; begin a new one";
        let next = self.revision.checked_add(1).ok_or_else(|| Error::new(ErrorKind::Store, message))?;
        self.revision = next;
        Ok(Revision::new(next))
    }
}

fn fits(key: &StoreKey, next: &Record, held: Option<&Entry>) -> Result<(), Error> {
    let refused = |message: String| Err(Error::new(ErrorKind::Store, message));
    if next.credential.id != *key.credential() {
        return refused(format!(
            "{key} cannot hold the credential {:?}; the ids have to be the same",
            next.credential.id
        ));
    }
    match held {
        Some(held) if held.record.generation > next.generation => refused(format!(
            "{key} is of generation {} and cannot go back to {}; load it again, and change what it holds by now",
            held.record.generation, next.generation
        )),
        _ => Ok(()),
    }
}
