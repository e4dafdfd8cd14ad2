//! Tests of the file store that need a look inside: its task, its leases, its drafts.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::credentials::{Credential, TokenSet};
use crate::store::{Cooldown, Health, Intent};
use crate::verdict::Kind;

/// A folder in memory if there is one, so that no test depends on how long a disk takes.
fn place() -> (tempfile::TempDir, PathBuf) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    let path = folder.path().join("store").join("credentials.json");
    (folder, path)
}

fn key(id: &str) -> StoreKey {
    StoreKey::new("openai", id)
}

async fn put(store: &FileStore, id: &str, generation: u64) -> Entry {
    let record = Record::new(Credential::new(id, TokenSet::new("at-secret")), Generation::new(generation));
    let held = store.load(&key(id)).await.unwrap().map(|held| held.revision);
    match store.compare_and_set(&key(id), held, Some(record)).await.unwrap() {
        CasOutcome::Stored(entry) => entry,
        other => panic!("{other:?}"),
    }
}

fn throttled(seconds: u64) -> HealthChange {
    HealthChange::new().cooled(Cooldown::new(Kind::Throttled, UNIX_EPOCH + Duration::from_secs(seconds)))
}

#[tokio::test]
async fn what_was_stored_is_there_after_the_end_of_the_process() {
    let (_folder, path) = place();
    let entry = put(&FileStore::open(&path).await.unwrap(), "work", 3).await;
    let later = FileStore::open(&path).await.unwrap();
    assert_eq!(later.load(&key("work")).await.unwrap(), Some(entry));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_notes_are_one_write_within_a_second_and_touch_no_disk_before() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let before = put(&store, "work", 1).await;
    let text = std::fs::read(&path).unwrap();
    for seconds in 0..1_000 {
        store.note_health(&key("work"), Generation::new(1), throttled(4_000_000_000 + seconds));
    }
    tokio::time::sleep(Duration::from_millis(999)).await;
    assert_eq!(std::fs::read(&path).unwrap(), text);
    // Paused time does not run on while the file is being written.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let written = async {
        loop {
            let entry = store.load(&key("work")).await.unwrap().unwrap();
            if entry.revision != before.revision {
                return entry;
            }
        }
    };
    let entry = written.await;
    assert_eq!(entry.revision.get(), before.revision.get() + 1);
    let cooldown = Cooldown::new(Kind::Throttled, UNIX_EPOCH + Duration::from_secs(4_000_000_999));
    assert_eq!(entry.record.health.cooldowns, [cooldown]);
}

#[tokio::test(start_paused = true)]
async fn notes_that_could_not_be_written_are_written_later() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    put(&store, "work", 1).await;
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, "{").unwrap();
    store.note_health(&key("work"), Generation::new(1), throttled(4_000_000_000));
    store.flush().await.unwrap_err();
    store.note_health(
        &key("work"),
        Generation::new(1),
        HealthChange::new().out(Some(crate::verdict::OutReason::Banned)),
    );
    store.flush().await.unwrap_err();
    std::fs::write(&path, text).unwrap();
    store.flush().await.unwrap();
    let mut health = Health::default();
    throttled(4_000_000_000).out(Some(crate::verdict::OutReason::Banned)).apply(&mut health);
    assert_eq!(store.load(&key("work")).await.unwrap().unwrap().record.health, health);
}

#[test]
fn notes_of_a_runtime_that_has_ended_are_written_by_the_next() {
    let (_folder, path) = place();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let store = runtime().block_on(async {
        let store = FileStore::open(&path).await.unwrap();
        put(&store, "work", 1).await;
        store.note_health(&key("work"), Generation::new(1), throttled(4_000_000_000));
        store
    });
    runtime().block_on(async {
        store.note_health(&key("work"), Generation::new(1), throttled(4_000_000_001));
        tokio::time::sleep(Duration::from_secs(1)).await;
        while store.load(&key("work")).await.unwrap().unwrap().record.health == Health::default() {}
    });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_for_changes_loses_none() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let mut changes = store.watch();
    put(&store, "work", 1).await;
    let mut told = false;
    // Each wait is shorter than the time between two comparisons.
    for _ in 0..40 {
        told |= tokio::time::timeout(Duration::from_millis(50), changes.changed()).await.is_ok();
    }
    assert!(told);
    assert!(tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.is_err(), "nothing changed");
}

#[test]
fn the_default_place_needs_a_home() {
    let path = folder::default_path(Some("/home/me/.local/share".into())).unwrap();
    assert_eq!(path, Path::new("/home/me/.local/share/oauth-marathon/credentials.json"));
    for none in [None, Some("".into()), Some("share".into())] {
        let error = folder::default_path(none).unwrap_err();
        assert!(error.to_string().contains("set HOME or XDG_DATA_HOME"), "{error}");
    }
}

#[tokio::test]
async fn a_lock_file_that_was_removed_does_not_let_two_writers_in() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let lease = store.lease(&key("work"), Duration::ZERO).await.unwrap().unwrap();
    std::fs::remove_file(store.0.lease_path(&key("work"))).unwrap();
    // The next process locks the new file, and the holder of the old one has lost the lease. The old file is never
    // locked again.
    let next = store.lease(&key("work"), Duration::ZERO).await.unwrap();
    assert!(next.is_some() && store.lease(&key("work"), Duration::ZERO).await.unwrap().is_none());
    drop(lease);
    assert!(store.lease(&key("work"), Duration::ZERO).await.unwrap().is_none());
}

#[test]
fn a_draft_takes_the_place_of_the_file_that_was_read_and_of_no_other() {
    use super::save::{Draft, Placed};

    let (_folder, path) = place();
    let path = folder::prepare(&path).unwrap();
    let put = |content: &str, before: Option<&std::fs::File>| {
        let mut draft = Draft::with_room(&path, 10_000).unwrap();
        draft.fill(content.as_bytes()).unwrap();
        draft.place(&path, before).unwrap()
    };
    let names = || std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    let held = || std::fs::read_to_string(&path).unwrap();
    assert_eq!((put("one", None), held().as_str(), names()), (Placed::Done, "one", 1));
    assert_eq!((put("two", None), held().as_str(), names()), (Placed::Overtaken, "one", 1), "somebody has made it");
    let one = std::fs::File::open(&path).unwrap();
    assert_eq!((put("two", Some(&one)), held().as_str(), names()), (Placed::Done, "two", 1));
    assert_eq!(
        (put("three", Some(&one)), held().as_str(), names()),
        (Placed::Overtaken, "two", 1),
        "it is another one"
    );
    let two = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((put("three", Some(&two)), names()), (Placed::Overtaken, 0), "it is gone, and is not made anew");
}

#[test]
fn a_draft_that_a_living_writer_holds_is_not_cleaned_away() {
    use super::save::{Draft, clean};

    let (_folder, path) = place();
    let path = folder::prepare(&path).unwrap();
    let left = path.with_file_name(".credentials.json.left.tmp");
    std::fs::write(&left, "").unwrap();
    let draft = Draft::with_room(&path, 100).unwrap();
    let names = || std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(names(), 2);
    clean(&path).unwrap();
    assert!(!left.exists() && names() == 1);
    drop(draft);
    assert_eq!(names(), 0);
}

#[test]
fn leases_of_different_keys_have_different_files_without_strange_names() {
    let (_folder, path) = place();
    let shared = SharedFile::open(&path).unwrap();
    let keys = [("a", "b"), ("a/b", ""), ("", "a/b"), ("a", "../b"), ("a", "b\u{f6}"), ("a", "b\u{e4}")];
    let mut names: Vec<_> =
        keys.iter().map(|(provider, id)| shared.lease_path(&StoreKey::new(*provider, *id))).collect();
    for name in &names {
        assert_eq!(name.parent(), shared.path().parent());
        assert!(name.to_str().unwrap().is_ascii(), "{}", name.display());
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), keys.len());
}

#[tokio::test]
async fn a_lock_that_stays_taken_is_an_error_that_names_it() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let lock = path.with_file_name("credentials.json.lock");
    let held = lock::now(&lock).unwrap().unwrap();
    let error = lock::wait(&lock, Duration::from_millis(3)).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::StoreBusy);
    assert!(error.to_string().contains("credentials.json.lock for too long"), "{error}");
    // Opening and reading need no lock.
    FileStore::open(&path).await.unwrap().load(&key("work")).await.unwrap();
    drop(held);
    put(&store, "work", 1).await;
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let mut opening = std::pin::pin!(FileStore::open("/nowhere/credentials.json"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = opening.as_mut().poll(&mut context) else {
        panic!("it was expected to fail")
    };
    assert!(error.to_string().contains("needs a tokio runtime"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn only_who_begins_a_refresh_takes_room_for_its_end() {
    let (_folder, path) = place();
    let drafts = || {
        let names = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".tmp")).count()
    };
    let (ours, theirs) = (FileStore::open(&path).await.unwrap(), FileStore::open(&path).await.unwrap());
    put(&ours, "work", 1).await;
    let change = async |store: &FileStore, change: &dyn Fn(&mut Record)| {
        let mut held = store.load(&key("work")).await.unwrap().unwrap();
        change(&mut held.record);
        let stored = store.compare_and_set(&key("work"), Some(held.revision), Some(held.record)).await.unwrap();
        assert!(matches!(stored, CasOutcome::Stored(_)), "{stored:?}");
        drafts()
    };
    let begins = |record: &mut Record| record.intent = Some(Intent::new(record.generation, UNIX_EPOCH));
    let renamed = |record: &mut Record| record.credential.label = Some("other".into());
    let ends = |record: &mut Record| (record.generation, record.intent) = (record.generation.next(), None);
    assert_eq!(change(&theirs, &begins).await, 1);
    assert_eq!(change(&ours, &renamed).await, 1, "who changes a label begins no refresh");
    assert_eq!(change(&theirs, &renamed).await, 1, "and ends none");
    assert_eq!(change(&theirs, &ends).await, 0);
}
