//! Disks that are full or read-only, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use oauth_marathon::store::{CasOutcome, FileStore, Intent, Record, Store};
use oauth_marathon::{Credential, Error, ErrorKind, Generation, TokenSet};

use crate::file_store::child::{Process, command};
use crate::file_store::place::{Place, generation, key, raise, record, skip};

/// Runs a task in a process that has a small file system of its own at the store's folder.
fn on_a_small_disk(task: &str) {
    let place = Place::new();
    let mount = format!("mount -t tmpfs -o size=128k,mode=700 none {}", place.folder.path().display());
    let namespace = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-U", "-r", "-m", "sh", "-c", script]);
        unshare
    };
    match namespace(&mount).output() {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => return skip(&format!("unshare: {}", String::from_utf8_lossy(&tried.stderr))),
        Err(error) => return skip(&format!("unshare: {error}")),
    }
    let inner = command(task, &place.path);
    let mut outer = namespace(&format!("{mount} && exec \"$@\""));
    outer.arg("sh").arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    outer.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    assert_eq!(Process::start(outer).heard("fine"), 1);
}

#[test]
fn a_full_disk_is_an_error_that_leaves_the_old_content() {
    on_a_small_disk("full");
}

#[test]
fn a_read_only_disk_can_be_read_and_says_why_it_is_not_written() {
    on_a_small_disk("read-only");
}

#[test]
fn a_refresh_begins_only_with_room_for_its_end() {
    on_a_small_disk("room");
}

fn refused(error: &oauth_marathon::BoxError, remedy: &str, path: &Path) {
    let error = Error::find(&**error).unwrap();
    assert_eq!(error.kind(), ErrorKind::Store);
    let text = error.to_string();
    assert!(text.contains(remedy) && text.contains(path.to_str().unwrap()), "{text}");
}

pub(crate) async fn full(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    let stored = raise(&store, "work").await.unwrap().unwrap();
    let filler = path.with_file_name("filler");
    // More than there is room for: all of it is taken.
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    for _ in 0..3 {
        refused(&raise(&store, "work").await.unwrap_err(), "free some space", path);
        assert_eq!(generation("work", store.load(&key("work")).await.unwrap().as_ref()), stored);
    }
    let names = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert!(names.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_str().unwrap().ends_with(".tmp")));
    std::fs::remove_file(filler).unwrap();
    assert_eq!(raise(&store, "work").await.unwrap(), Some(stored + 1));
    println!("\nsay fine 1");
}

pub(crate) async fn read_only(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    let stored = raise(&store, "work").await.unwrap().unwrap();
    let disk = path.parent().unwrap().parent().unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status().unwrap();
    assert!(remounted.success());
    for store in [store, FileStore::open(path).await.unwrap()] {
        refused(&raise(&store, "work").await.unwrap_err(), "read-only", path.parent().unwrap());
        assert_eq!(generation("work", store.load(&key("work")).await.unwrap().as_ref()), stored);
    }
    println!("\nsay fine 1");
}

/// Fills the disk up to the last `left` bytes.
fn fill(filler: &Path, left: usize) {
    let _ = std::fs::remove_file(filler);
    // More than there is room for: all of it is taken.
    std::fs::write(filler, vec![0; 1 << 20]).unwrap_err();
    let room = std::fs::metadata(filler).unwrap().len();
    let file = std::fs::File::options().write(true).open(filler).unwrap();
    file.set_len(room.saturating_sub(left as u64)).unwrap();
}

pub(crate) async fn room(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    let filler = path.with_file_name("filler");
    let (mut refused_at, mut begun_at) = (None, None);
    // From no room at all to more than enough, a page each time.
    for pages in 0..16 {
        fill(&filler, pages * 4096);
        let held = store.load(&key("work")).await.unwrap().unwrap();
        let mut begins = held.record.clone();
        begins.intent = Some(Intent::new(begins.generation, UNIX_EPOCH + Duration::from_secs(pages as u64)));
        let entry = match store.compare_and_set(&key("work"), Some(held.revision), Some(begins)).await {
            Ok(CasOutcome::Stored(entry)) => entry,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                refused(&error, "free some space", path);
                refused_at = Some(pages);
                continue;
            }
        };
        begun_at = Some(begun_at.unwrap_or(pages));
        // Whatever room was left then is taken by others meanwhile; the tokens are some pages longer.
        std::fs::write(path.with_file_name("others"), vec![0; 1 << 20]).unwrap_err();
        let next = held.record.generation.get() + 1;
        let tokens = TokenSet::new("a".repeat(8_000)).with_refresh("r".repeat(8_000));
        let mut ends = Record::new(Credential::new("work", tokens), Generation::new(next));
        ends.health = entry.record.health.clone();
        let stored = store.compare_and_set(&key("work"), Some(entry.revision), Some(ends)).await;
        assert!(matches!(stored, Ok(CasOutcome::Stored(_))), "with {pages} pages the refresh began: {stored:?}");
        std::fs::remove_file(path.with_file_name("others")).unwrap();
        let _ = std::fs::remove_file(&filler);
        // Back to a small one.
        let held = store.load(&key("work")).await.unwrap().unwrap();
        let small = record("work", next + 1);
        assert!(matches!(
            store.compare_and_set(&key("work"), Some(held.revision), Some(small)).await.unwrap(),
            CasOutcome::Stored(_)
        ));
    }
    assert!(refused_at.is_some() && begun_at.is_some() && refused_at < begun_at, "{refused_at:?} {begun_at:?}");
    println!("\nsay fine 1");
}
