//! Lock and lease files that are removed, by a person or by a cleaner of old files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use oauth_marathon::store::{FileStore, Store};

use crate::file_store::place::{Place, count, generation, key, raise};

const WRITERS: usize = 4;

fn files(place: &Place, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(place.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

/// Writers whose lock file is removed: a change that is reported as stored is not lost to another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_while_the_lock_file_is_removed_again_and_again() {
    let place = Place::new();
    let changes = count("OAUTH_MARATHON_WRITES", 40) as u64;
    let is_over = Arc::new(AtomicBool::new(false));
    let (lock, over) = (place.path.with_file_name("credentials.json.lock"), is_over.clone());
    let remover = std::thread::spawn(move || {
        let mut removed = 0;
        while !over.load(Ordering::Relaxed) {
            removed += usize::from(fs::remove_file(&lock).is_ok());
            std::thread::sleep(Duration::from_micros(200));
        }
        removed
    });
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        // A handle of its own: handles that are clones take turns among themselves.
        let store = FileStore::open(&place.path).await.unwrap();
        writers.push(tokio::spawn(async move {
            let own = format!("w{writer}");
            for change in 1..=changes {
                assert_eq!(raise(&store, &own).await.unwrap(), Some(change), "{own}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    let removed = remover.join().unwrap();
    assert!(removed > 0);
    let store = FileStore::open(&place.path).await.unwrap();
    for writer in 0..WRITERS {
        let own = format!("w{writer}");
        assert_eq!(generation(&own, store.load(&key(&own)).await.unwrap().as_ref()), changes, "{removed} removed");
    }
    assert_eq!(place.leftovers(), [""; 0]);
}

#[tokio::test]
async fn lock_and_lease_files_that_are_used_do_not_look_old() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let make_old = |path: &PathBuf| File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    let is_old = |path: &PathBuf| path.metadata().unwrap().modified().unwrap() == long_ago;
    raise(&store, "work").await.unwrap().unwrap();
    drop(store.lease(&key("work"), Duration::ZERO).await.unwrap());
    let (locks, leases) = (files(&place, ".lock"), files(&place, ".lease"));
    assert_eq!((locks.len(), leases.len()), (1, 1));
    for path in locks.iter().chain(&leases) {
        make_old(path);
        assert!(is_old(path));
    }
    raise(&store, "work").await.unwrap().unwrap();
    let lease = store.lease(&key("work"), Duration::ZERO).await.unwrap();
    assert!(!is_old(&locks[0]) && !is_old(&leases[0]));
    drop(lease);
}
