//! Tokens in memory, gone when the process ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CasOutcome, Store, StoreKey, StoredTokens};
use crate::error::BoxError;
use crate::token::Generation;

/// A [`Store`] in memory. A clone shares the entries.
///
/// A refreshed token is lost when the process ends. Where the provider gives out a new refresh token with each refresh,
/// the login is lost with it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    entries: Arc<Mutex<HashMap<StoreKey, StoredTokens>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<StoreKey, StoredTokens>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<StoredTokens>, BoxError> {
        Ok(self.entries().get(key).cloned())
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Generation>,
        next: StoredTokens,
    ) -> Result<CasOutcome, BoxError> {
        let mut entries = self.entries();
        let found = entries.get(key);
        if found.map(|entry| entry.generation) != expected {
            return Ok(CasOutcome::Conflict(found.cloned()));
        }
        entries.insert(key.clone(), next);
        Ok(CasOutcome::Stored)
    }
}

#[cfg(test)]
mod tests {
    use super::super::DynStore;
    use super::*;
    use crate::token::TokenSet;

    fn entry(token: &str, generation: u64) -> StoredTokens {
        StoredTokens::new(TokenSet::new(token), Generation::new(generation))
    }

    #[tokio::test]
    async fn an_entry_changes_only_from_the_expected_generation() {
        let store = MemoryStore::new();
        let key = StoreKey::new("openai", "work");
        let (one, two) = (entry("one", 1), entry("two", 2));
        for (expected, next, outcome) in [
            (Some(Generation::FIRST), &two, CasOutcome::Conflict(None)),
            (None, &one, CasOutcome::Stored),
            (None, &two, CasOutcome::Conflict(Some(one.clone()))),
            (Some(Generation::new(2)), &two, CasOutcome::Conflict(Some(one.clone()))),
            (Some(Generation::FIRST), &two, CasOutcome::Stored),
            (Some(Generation::FIRST), &one, CasOutcome::Conflict(Some(two.clone()))),
        ] {
            assert_eq!(Store::compare_and_set(&store, &key, expected, next.clone()).await.unwrap(), outcome);
        }
        assert_eq!(Store::load(&store, &key).await.unwrap(), Some(two));
    }

    #[tokio::test]
    async fn entries_are_apart_by_provider_and_credential() {
        let store = MemoryStore::new();
        let key = StoreKey::new("openai", "work");
        assert_eq!(Store::compare_and_set(&store, &key, None, entry("one", 1)).await.unwrap(), CasOutcome::Stored);
        for other in [StoreKey::new("openai", "home"), StoreKey::new("xai", "work")] {
            assert_eq!(Store::load(&store, &other).await.unwrap(), None, "{other}");
        }
    }

    #[tokio::test]
    async fn clones_share_the_entries_also_behind_a_dyn_handle() {
        let store = MemoryStore::new();
        let shared: Arc<dyn DynStore> = Arc::new(store.clone());
        let key = StoreKey::new("openai", "work");
        assert_eq!(shared.compare_and_set(&key, None, entry("one", 1)).await.unwrap(), CasOutcome::Stored);
        assert_eq!(Store::load(&store, &key).await.unwrap(), Some(entry("one", 1)));
    }

    #[tokio::test]
    async fn of_a_hundred_writers_one_wins() {
        let store = MemoryStore::new();
        let key = StoreKey::new("openai", "work");
        let writers = (0..100).map(|i| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(
                async move { Store::compare_and_set(&store, &key, None, entry(&i.to_string(), 1)).await.unwrap() },
            )
        });
        let mut stored = 0;
        for writer in writers.collect::<Vec<_>>() {
            stored += usize::from(writer.await.unwrap() == CasOutcome::Stored);
        }
        assert_eq!(stored, 1);
    }

    #[test]
    fn a_store_never_shows_its_tokens() {
        let store = MemoryStore::new();
        store.entries().insert(StoreKey::new("openai", "work"), entry("at-secret", 1));
        let shown = format!("{store:?}");
        assert!(shown.contains("work") && !shown.contains("at-secret"), "{shown}");
    }
}
