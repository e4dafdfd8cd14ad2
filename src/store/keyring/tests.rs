//! Tests of `KeyringStore` over a keyring in memory: entries, dead processes, and a keyring that is locked or hangs.

use std::sync::mpsc;

use keyring_core::mock;

use super::*;
use crate::credentials::{Credential, TokenSet};
use crate::store::{Intent, MemoryStore};

type Opened = keyring_core::Result<Arc<CredentialStore>>;

fn mock_of(keyring: Arc<mock::Store>) -> impl Fn() -> Opened + Send + Sync + 'static {
    move || Ok(keyring.clone())
}

fn key() -> StoreKey {
    StoreKey::new("openai", "work")
}

fn record(token: &str, generation: u64) -> Record {
    let tokens = TokenSet::new(token).with_refresh(format!("{token}-r"));
    Record::new(Credential::new("work", tokens).extra_header("x-id", "h"), Generation::new(generation))
}

async fn put(store: &impl Store, expected: Option<Revision>, record: &Record) -> Entry {
    let CasOutcome::Stored(entry) = store.compare_and_set(&key(), expected, Some(record.clone())).await.unwrap() else {
        panic!("it was expected to be stored")
    };
    assert_eq!(entry.record, *record);
    entry
}

/// The name of the entry in the record, as a file would hold it.
async fn name(records: &MemoryStore) -> String {
    let kept = records.load(&key()).await.unwrap().unwrap().record;
    assert!(!kept.credential.material.refresh_token().unwrap().expose().contains("-r"));
    secrets::name_of(&kept).unwrap().to_owned()
}

fn has_entry(keyring: &mock::Store, name: &str) -> bool {
    let entry = keyring_core::api::CredentialStoreApi::build(keyring, "oauth-marathon", name, None).unwrap();
    entry.get_password().is_ok()
}

#[tokio::test]
async fn secrets_are_in_the_keyring_alone_and_other_processes_find_them() {
    let (records, keyring) = (MemoryStore::new(), mock::Store::new().unwrap());
    let store = KeyringStore::new(records.clone(), mock_of(keyring.clone())).unwrap();
    let other = KeyringStore::new(records.clone(), mock_of(keyring.clone())).unwrap();
    let one = put(&store, None, &record("one", 1)).await;
    assert_eq!(other.load(&key()).await.unwrap(), Some(one.clone()));

    // Health and intents leave the keyring alone.
    let first = name(&records).await;
    let mut begun = record("one", 1);
    begun.intent = Some(Intent::new(Generation::new(1), std::time::UNIX_EPOCH));
    let one = put(&store, Some(one.revision), &begun).await;
    assert_eq!(name(&records).await, first);

    let two = put(&other, Some(one.revision), &record("two", 2)).await;
    let second = name(&records).await;
    assert!(second != first && has_entry(&keyring, &second) && !has_entry(&keyring, &first));
    assert_eq!(store.load_all("openai").await.unwrap(), std::slice::from_ref(&two));

    // A writer that comes too late leaves no entry behind.
    let late = store.compare_and_set(&key(), Some(one.revision), Some(record("late", 3))).await.unwrap();
    assert_eq!(late, CasOutcome::Conflict(Some(two.clone())));
    assert_eq!(store.compare_and_set(&key(), Some(two.revision), None).await.unwrap(), CasOutcome::Removed);
    assert!(!has_entry(&keyring, &second));
}

/// The number of entries in the keyring.
fn entries(keyring: &mock::Store) -> usize {
    let found = keyring_core::api::CredentialStoreApi::search(keyring, &HashMap::new()).unwrap();
    found.iter().filter(|entry| entry.get_password().is_ok()).count()
}

#[tokio::test]
async fn what_a_process_left_that_died_between_the_keyring_and_the_file_is_removed_by_the_next() {
    let (records, keyring) = (MemoryStore::new(), mock::Store::new().unwrap());
    let open = |records: &MemoryStore| KeyringStore::new(records.clone(), mock_of(keyring.clone())).unwrap();
    let one = put(&open(&records), None, &record("one", 1)).await;
    // Another store in the same keyring, with a record of the same key.
    let elsewhere = MemoryStore::new();
    let other = put(&open(&elsewhere), None, &record("other", 1)).await;
    // The entry of a save that was cut short.
    let dead = open(&records);
    let lost = secrets::new_name(&key(), Some(&name(&records).await));
    dead.0.vault.write(lost.clone(), secrets::of(&record("lost", 2))).await.unwrap();
    assert_eq!(entries(&keyring), 3);

    let mut begun = record("one", 1);
    begun.intent = Some(Intent::new(Generation::new(1), std::time::UNIX_EPOCH));
    let next = open(&records);
    assert_eq!(next.load(&key()).await.unwrap(), Some(one.clone()));
    assert!(has_entry(&keyring, &lost), "reading removes nothing");
    // A writer that comes too late has not seen what is stored now, and removes nothing.
    let stale = next.compare_and_set(&key(), None, Some(begun.clone())).await.unwrap();
    assert!(matches!(stale, CasOutcome::Conflict(Some(_))) && has_entry(&keyring, &lost));
    let begun = put(&next, Some(one.revision), &begun).await;
    assert!(!has_entry(&keyring, &lost) && entries(&keyring) == 2);
    put(&next, Some(begun.revision), &record("two", 2)).await;
    assert_eq!(open(&elsewhere).load(&key()).await.unwrap(), Some(other));
    assert_eq!(entries(&keyring), 2);
}

#[tokio::test]
async fn a_record_of_the_file_alone_is_moved_by_its_next_change() {
    let (records, keyring) = (MemoryStore::new(), mock::Store::new().unwrap());
    let plain = put(&records, None, &record("plain", 1)).await;
    let store = KeyringStore::new(records.clone(), mock_of(keyring.clone())).unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(plain.clone()));
    put(&store, Some(plain.revision), &record("plain", 1)).await;
    assert!(has_entry(&keyring, &name(&records).await));
}

#[tokio::test]
async fn secrets_that_are_gone_are_an_error_and_no_missing_record() {
    let (records, keyring) = (MemoryStore::new(), mock::Store::new().unwrap());
    put(&KeyringStore::new(records.clone(), mock_of(keyring)).unwrap(), None, &record("one", 1)).await;
    let another = KeyringStore::new(records, mock_of(mock::Store::new().unwrap())).unwrap();
    let error = another.load(&key()).await.unwrap_err();
    assert!(error.to_string().contains("does not hold the secrets of openai/work"), "{error}");
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::StoreCorrupt);
}

#[tokio::test]
async fn a_keyring_that_is_locked_is_an_error_with_the_remedy_and_is_asked_again_later() {
    let (keyring, locked) = (mock::Store::new().unwrap(), Arc::new(Mutex::new(true)));
    let lock = locked.clone();
    let open = move || match *lock.lock().unwrap() {
        true => Err(keyring_core::Error::NoStorageAccess("the collection is locked".into())),
        false => Ok(keyring.clone() as Arc<CredentialStore>),
    };
    let records = MemoryStore::new();
    let store = KeyringStore::new(records.clone(), open).unwrap();
    let error = store.compare_and_set(&key(), None, Some(record("s3cret", 1))).await.unwrap_err().to_string();
    assert!(error.contains("the collection is locked") && error.contains("unlock the keyring"), "{error}");
    assert!(!error.contains("s3cret"));
    assert_eq!(records.load(&key()).await.unwrap(), None, "nothing falls back to the file");
    *locked.lock().unwrap() = false;
    put(&store, None, &record("s3cret", 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_waits_for_a_person_is_an_error_in_time_and_changes_nothing_late() {
    let (entering, entered) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let (held, keyring) = (Mutex::new(held), mock::Store::new().unwrap());
    let open = move || {
        entering.send(()).unwrap();
        let _ = held.lock().unwrap().recv();
        Ok(keyring.clone() as Arc<CredentialStore>)
    };
    let store = KeyringStore::new(MemoryStore::new(), open).unwrap();
    let begin = tokio::time::Instant::now();
    let (key, first) = (key(), record("one", 1));
    let mut call = tokio_test::task::spawn(store.compare_and_set(&key, None, Some(first.clone())));
    assert!(call.poll().is_pending());
    entered.recv().unwrap();
    let late = store.compare_and_set(&key, None, Some(first.clone()));
    for error in [call.await.unwrap_err(), late.await.unwrap_err()] {
        assert!(error.to_string().contains("has not answered within 900 ms; unlock the keyring"), "{error}");
    }
    assert!(begin.elapsed() < Duration::from_secs(2));
    drop(release);
    drop(store);
    // The thread ends, and makes no call for a caller that has gone.
    assert!(entered.recv().is_err());
}

#[tokio::test]
async fn a_keyring_that_panics_costs_the_call() {
    let store = KeyringStore::new(MemoryStore::new(), || panic!("a keyring that panics")).unwrap();
    for _ in 0..2 {
        let error = store.compare_and_set(&key(), None, Some(record("one", 1))).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
    assert_eq!(store.load(&key()).await.unwrap(), None);
}
