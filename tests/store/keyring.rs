//! `KeyringStore` over the real keyring of a desktop session: unlocked, locked and absent. `.ci/keyring` starts each; without
//! it these tests say that they are left out, and why.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use oauth_marathon::store::{CasOutcome, FileStore, Intent, KeyringStore, Record, Store, StoreKey};
use oauth_marathon::{Credential, Error, ErrorKind, Generation, Pool, TokenSet};
use oauth_marathon_test::invariants::check_store;

/// Set by `.ci/keyring`: `unlocked`, `locked` or `absent`.
const STATE: &str = "OAUTH_MARATHON_KEYRING";

fn is(state: &str) -> bool {
    let found = std::env::var(STATE).ok();
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "left out: the {state} keyring: {STATE} is not set; .ci/keyring starts a session with one"
        );
    }
    found.is_some_and(|found| found == state)
}

async fn store(folder: &std::path::Path) -> KeyringStore<FileStore> {
    let file = FileStore::open(folder.join("store/credentials.json")).await.unwrap();
    let open = || Ok(dbus_secret_service_keyring_store::Store::new()? as Arc<keyring_core::CredentialStore>);
    KeyringStore::new(file, open).unwrap()
}

fn record(token: &str, generation: u64) -> Record {
    let tokens = TokenSet::new(token).with_refresh("s3cret-r");
    Record::new(Credential::new("work", tokens), Generation::new(generation))
}

#[tokio::test]
async fn an_unlocked_keyring_keeps_the_secrets_and_the_file_keeps_none() {
    if !is("unlocked") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = StoreKey::new("openai", "work");
    let one = store(folder.path()).await;
    let CasOutcome::Stored(entry) = one.compare_and_set(&key, None, Some(record("s3cret-a", 1))).await.unwrap() else {
        panic!("it is new")
    };
    let text = std::fs::read_to_string(one.records().path()).unwrap();
    assert!(text.contains("work") && !text.contains("s3cret"), "{text}");

    // As after a restart.
    let other = store(folder.path()).await;
    assert_eq!(other.load(&key).await.unwrap(), Some(entry.clone()));
    let large = "x".repeat(100_000);
    let CasOutcome::Stored(entry) =
        other.compare_and_set(&key, Some(entry.revision), Some(record(&large, 2))).await.unwrap()
    else {
        panic!("it was as expected")
    };
    assert_eq!(one.load(&key).await.unwrap(), Some(entry.clone()));
    let pool = Pool::builder("openai").origin("https://api.example.com").store(one.clone()).open().await.unwrap();
    assert_eq!(pool.snapshot().credentials[0].id, "work");
    assert_eq!(one.compare_and_set(&key, Some(entry.revision), None).await.unwrap(), CasOutcome::Removed);
}

#[tokio::test]
async fn an_unlocked_keyring_keeps_the_rules_of_a_store() {
    if is("unlocked") {
        let folder = tempfile::tempdir().unwrap();
        check_store(&Arc::new(store(folder.path()).await), 1).await.unwrap();
    }
}

#[tokio::test]
async fn an_unlocked_keyring_is_searched_for_what_a_dead_process_has_left() {
    if !is("unlocked") {
        return;
    }
    let (folder, key) = (tempfile::tempdir().unwrap(), StoreKey::new("left", "work"));
    let dead = store(folder.path()).await;
    assert!(matches!(
        dead.compare_and_set(&key, None, Some(record("s3cret", 1))).await.unwrap(),
        CasOutcome::Stored(_)
    ));
    // The entry of a save that got no further.
    let text = std::fs::read_to_string(dead.records().path()).unwrap();
    let named = text.split_once("keyring:left/").unwrap().1.split('"').next().unwrap();
    let left = format!("left/{}-0123456789abcdef", named.rsplit_once('-').unwrap().0);
    let keyring: Arc<keyring_core::CredentialStore> = dbus_secret_service_keyring_store::Store::new().unwrap();
    let left = keyring.build("oauth-marathon", &left, None).unwrap();
    left.set_password("lost").unwrap();

    let next = store(folder.path()).await;
    let entry = next.load(&key).await.unwrap().unwrap();
    let mut begun = entry.record;
    begun.intent = Some(Intent::new(begun.generation, std::time::UNIX_EPOCH));
    let stored = next.compare_and_set(&key, Some(entry.revision), Some(begun.clone())).await.unwrap();
    let CasOutcome::Stored(stored) = stored else { panic!("{stored:?}") };
    assert!(matches!(left.get_password(), Err(keyring_core::Error::NoEntry)));
    assert_eq!(store(folder.path()).await.load(&key).await.unwrap(), Some(stored));
}

async fn is_refused_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let key = StoreKey::new("openai", "work");
    let call = store.compare_and_set(&key, None, Some(record("s3cret-a", 1)));
    let error = tokio::time::timeout(Duration::from_secs(5), call).await.expect("no hang").unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::Store);
    let message = error.to_string();
    assert!(message.contains("unlock the keyring") && !message.contains("s3cret"), "{message}");
    assert_eq!(store.load(&key).await.unwrap(), None, "nothing falls back to the file");
}

#[tokio::test]
async fn a_locked_keyring_is_an_error_that_says_what_to_do() {
    if is("locked") {
        is_refused_in_time().await;
    }
}

#[tokio::test]
async fn an_absent_keyring_is_an_error_that_says_what_to_do() {
    if is("absent") {
        is_refused_in_time().await;
    }
}
