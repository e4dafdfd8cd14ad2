//! A shared store that breaks one rule at a time, and the rule by which it is caught.

use std::time::Duration;

use oauth_marathon::store::{
    CasOutcome, Changes, Entry, HealthChange, MemoryStore, Record, Revision, Store, StoreKey, StoreLease,
};
use oauth_marathon::{BoxError, CredentialId, Generation};

use oauth_marathon_test::invariants::{Rule, check_shared_store};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ListsBackwards,
    IgnoresTheOrder,
    NamesTheEmpty,
    LeasesToAll,
    NotExclusive,
    LeasesNever,
    LeasesOneKeyAlone,
    NeverTells,
    DropsNotes,
    KeepsTheLastNote,
    NotesOfOlderSecrets,
    MakesRecordsOfNotes,
    CannotList,
}

#[derive(Clone)]
struct Faulty(Fault, MemoryStore);

impl Store for Faulty {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.1.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        self.1.compare_and_set(key, expected, next).await
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        let mut entries = self.1.load_all(provider).await?;
        match self.0 {
            Fault::ListsBackwards => entries.reverse(),
            Fault::CannotList => return Err("it cannot".into()),
            _ => {}
        }
        Ok(entries)
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        match self.0 {
            Fault::NamesTheEmpty => Ok(vec!["oauth-marathon-check-shared-3".to_owned()]),
            _ => self.1.providers().await,
        }
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        match self.0 {
            Fault::IgnoresTheOrder => Ok(()),
            _ => self.1.set_order(provider, order).await,
        }
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        match self.0 {
            Fault::LeasesToAll => Ok(Some(StoreLease::new(()))),
            Fault::NotExclusive => Ok(Some(StoreLease::unshared())),
            Fault::LeasesNever => Ok(None),
            Fault::LeasesOneKeyAlone => self.1.lease(&StoreKey::new("any", "any"), patience).await,
            _ => self.1.lease(key, patience).await,
        }
    }

    fn watch(&self) -> Changes {
        if self.0 == Fault::NeverTells { Changes::never() } else { self.1.watch() }
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        match self.0 {
            Fault::DropsNotes => {}
            Fault::KeepsTheLastNote => {
                self.1.note_health(key, generation, HealthChange::new().cleared());
                self.1.note_health(key, generation, change);
            }
            Fault::NotesOfOlderSecrets => self.1.note_health(key, Generation::new(u64::MAX), change),
            Fault::MakesRecordsOfNotes => {
                let credential = oauth_marathon::Credential::new(key.credential(), oauth_marathon::TokenSet::new(""));
                let record = Some(Record::new(credential, generation));
                // In memory it is ready at once.
                let mut made = std::pin::pin!(self.1.compare_and_set(key, None, record));
                let _ = made.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
                self.1.note_health(key, generation, change);
            }
            _ => self.1.note_health(key, generation, change),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_a_shared_store_is_caught_by_its_rule() {
    let check = async |fault| {
        let store = Faulty(fault, MemoryStore::new());
        check_shared_store(&store, &store.clone(), 3).await.map_err(|violation| violation.rule())
    };
    assert_eq!(check(Fault::None).await, Ok(()));
    for (fault, rule) in [
        (Fault::ListsBackwards, Rule::OutOfOrder),
        (Fault::IgnoresTheOrder, Rule::OutOfOrder),
        (Fault::NamesTheEmpty, Rule::OutOfOrder),
        (Fault::LeasesToAll, Rule::LeaseShared),
        (Fault::NotExclusive, Rule::LeaseShared),
        (Fault::LeasesNever, Rule::LeaseWithheld),
        (Fault::LeasesOneKeyAlone, Rule::LeaseWithheld),
        (Fault::NeverTells, Rule::ChangeUntold),
        (Fault::DropsNotes, Rule::NoteLost),
        (Fault::KeepsTheLastNote, Rule::NoteLost),
        (Fault::NotesOfOlderSecrets, Rule::NoteMisplaced),
        (Fault::MakesRecordsOfNotes, Rule::NoteMisplaced),
        (Fault::CannotList, Rule::Failed),
    ] {
        assert_eq!(check(fault).await, Err(rule), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_keeps_the_rules_of_shared_ones() {
    for seed in 0..8 {
        let store = MemoryStore::new();
        check_shared_store(&store, &store.clone(), seed).await.unwrap();
    }
}

/// All that a store has to have.
#[derive(Debug)]
struct Least(MemoryStore);

impl Store for Least {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        self.0.compare_and_set(key, expected, next).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_two_methods_keeps_the_rules_and_says_what_it_cannot_do() {
    let store = std::sync::Arc::new(Least(MemoryStore::new()));
    oauth_marathon_test::invariants::check_store(&store, 1).await.unwrap();
    let key = StoreKey::new("openai", "work");
    for error in [
        store.load_all("openai").await.unwrap_err(),
        store.providers().await.unwrap_err(),
        store.set_order("openai", &[]).await.unwrap_err(),
    ] {
        let error = oauth_marathon::Error::find(&*error).unwrap();
        assert_eq!(error.kind(), oauth_marathon::ErrorKind::StoreUnsupported);
        assert!(error.to_string().contains("Least cannot "), "{error}");
    }
    assert!(!store.lease(&key, Duration::ZERO).await.unwrap().unwrap().is_exclusive());
    store.note_health(&key, Generation::new(1), HealthChange::new().cleared());
    store.flush().await.unwrap();
    let mut changes = store.watch();
    assert!(tokio::time::timeout(Duration::from_secs(3600), changes.changed()).await.is_err());
}
