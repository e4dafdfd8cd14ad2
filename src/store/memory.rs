//! Credentials in memory, gone when the process ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::all_records::AllRecords;
use super::{CasOutcome, ChangeNotifier, Changes, Entry, HealthChange, Record, Revision, Store, StoreKey, StoreLease};
use crate::credentials::{CredentialId, Generation};
use crate::error::BoxError;
use crate::sync::{AsyncMutex, Mutex, MutexGuard, lock, time};

/// A [`Store`] in memory. A clone shares the records.
///
/// A refreshed token is lost when the process ends. If the provider gives out a new refresh token with each refresh, the login
/// is lost with it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    records: Mutex<AllRecords>,
    leases: Mutex<HashMap<StoreKey, Arc<AsyncMutex<()>>>>,
    changed: ChangeNotifier,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, AllRecords> {
        lock(&self.0.records)
    }
}

impl Store for MemoryStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        Ok(self.records().get(key).cloned())
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let outcome = self.records().compare_and_set(key, expected, next)?;
        if !matches!(outcome, CasOutcome::Conflict(_)) {
            self.0.changed.notify();
        }
        Ok(outcome)
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        Ok(self.records().all(provider))
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        Ok(self.records().names())
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        if self.records().set_order(provider, order) {
            self.0.changed.notify();
        }
        Ok(())
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        let lease = {
            let mut leases = lock(&self.0.leases);
            leases.entry(key.clone()).or_default().clone()
        };
        if let Ok(lease) = lease.clone().try_lock_owned() {
            return Ok(Some(StoreLease::new(lease)));
        }
        Ok(time::timeout(patience, lease.lock_owned()).await.ok().map(StoreLease::new))
    }

    fn watch(&self) -> Changes {
        self.0.changed.subscribe()
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        // It fails only when all revisions are used up.
        if self.records().note(key, generation, &change).unwrap_or(false) {
            self.0.changed.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DynStore;
    use super::*;
    use crate::credentials::{Credential, TokenSet};

    fn record(token: &str, generation: u64) -> Record {
        Record::new(Credential::new("work", TokenSet::new(token)), Generation::new(generation))
    }

    fn key() -> StoreKey {
        StoreKey::new("openai", "work")
    }

    fn stored(outcome: CasOutcome) -> Entry {
        let CasOutcome::Stored(entry) = outcome else { panic!("{outcome:?}") };
        entry
    }

    #[tokio::test]
    async fn a_record_changes_only_from_the_expected_revision() {
        let store = MemoryStore::new();
        let set = async |expected, next| Store::compare_and_set(&store, &key(), expected, next).await.unwrap();
        assert_eq!(set(Some(Revision::new(1)), Some(record("one", 1))).await, CasOutcome::Conflict(None));
        let one = stored(set(None, Some(record("one", 1))).await);
        assert_eq!(set(None, Some(record("two", 2))).await, CasOutcome::Conflict(Some(one.clone())));
        let two = stored(set(Some(one.revision), Some(record("two", 2))).await);
        assert_eq!(set(Some(one.revision), Some(record("one", 3))).await, CasOutcome::Conflict(Some(two.clone())));
        assert_eq!(set(Some(one.revision), None).await, CasOutcome::Conflict(Some(two.clone())));
        assert_eq!(Store::load(&store, &key()).await.unwrap(), Some(two));
    }

    #[tokio::test]
    async fn nothing_late_is_mistaken_for_one_that_was_removed_and_added_again() {
        let store = MemoryStore::new();
        let set = async |expected, next| Store::compare_and_set(&store, &key(), expected, next).await.unwrap();
        let old = stored(set(None, Some(record("old", 7))).await);
        assert_eq!(set(Some(old.revision), None).await, CasOutcome::Removed);
        assert_eq!(Store::load(&store, &key()).await.unwrap(), None);
        let new = stored(set(None, Some(record("new", 1))).await);
        assert_eq!(new.record, record("new", 8));
        assert_eq!(set(Some(old.revision), Some(record("late", 8))).await, CasOutcome::Conflict(Some(new)));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_with_the_reason() {
        let store = MemoryStore::new();
        let held = stored(Store::compare_and_set(&store, &key(), None, Some(record("one", 3))).await.unwrap());
        let error =
            Store::compare_and_set(&store, &key(), Some(held.revision), Some(record("two", 2))).await.unwrap_err();
        assert!(error.to_string().contains("generation 3 and cannot go back to 2"), "{error}");
        let other = StoreKey::new("openai", "home");
        let error = Store::compare_and_set(&store, &other, None, Some(record("one", 3))).await.unwrap_err();
        assert!(error.to_string().contains("openai/home cannot hold the credential \"work\""), "{error}");
        assert_eq!(Store::load(&store, &key()).await.unwrap(), Some(held));
    }

    #[tokio::test]
    async fn clones_share_the_records_also_behind_a_dyn_handle() {
        let store = MemoryStore::new();
        let shared: Arc<dyn DynStore> = Arc::new(store.clone());
        let entry = stored(shared.compare_and_set(&key(), None, Some(record("one", 1))).await.unwrap());
        assert_eq!(Store::load(&store, &key()).await.unwrap(), Some(entry));
    }

    #[test]
    fn a_store_never_shows_its_tokens() {
        let store = MemoryStore::new();
        let _ = store.records().compare_and_set(&key(), None, Some(record("at-secret", 1))).unwrap();
        let shown = format!("{store:?}");
        assert!(shown.contains("work") && !shown.contains("at-secret"), "{shown}");
    }
}
