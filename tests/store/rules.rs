//! The file store and the keyring store keep the rules of every store.

use std::path::Path;
use std::sync::Arc;

use keyring_core::mock;
use oauth_marathon::store::{FileStore, KeyringStore, MemoryStore, StoreContent};
use oauth_marathon::{ErrorKind, Secret};
use oauth_marathon_test::invariants::{check_shared_store, check_store};

/// In memory where there is such a place, so that no test depends on how long a disk takes.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

async fn open(folder: &tempfile::TempDir) -> FileStore {
    FileStore::open(folder.path().join("store/credentials.json")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_rules_of_stores() {
    let folder = folder();
    check_store(&Arc::new(open(&folder).await), 1).await.unwrap();
}

/// The runtime's time stands still while files are touched, so that no wait is for real.
#[tokio::test(start_paused = true)]
async fn a_file_keeps_the_rules_of_stores_that_several_processes_share() {
    let folder = folder();
    let (store, other) = (open(&folder).await, open(&folder).await);
    for seed in 0..3 {
        check_shared_store(&store, &other, seed).await.unwrap();
    }
    check_shared_store(&store, &store.clone(), 3).await.unwrap();
}

#[tokio::test]
async fn a_keyring_keeps_the_rules_of_stores() {
    for seed in 0..4 {
        let keyring = mock::Store::new().unwrap();
        let store = KeyringStore::new(MemoryStore::new(), move || Ok(keyring.clone() as _)).unwrap();
        check_store(&Arc::new(store), seed).await.unwrap();
    }
}

#[test]
fn the_text_of_a_later_version_is_not_read_in_part() {
    let text = StoreContent::default().to_text().unwrap();
    assert_eq!(StoreContent::from_text(text.expose().as_bytes()).unwrap(), StoreContent::default());
    let later = text.expose().replace(r#""version": 1"#, r#""version": 2"#);
    let checksum = later.find(r#""checksum": ""#).unwrap() + r#""checksum": ""#.len();
    let end = checksum + later[checksum..].find('"').unwrap();
    let later = Secret::new(format!("{}unchecked{}", &later[..checksum], &later[end..]));
    let error = StoreContent::from_text(later.expose().as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreVersion, "{error}");
}
