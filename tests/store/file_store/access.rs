//! Files and folders that other users can reach are refused, with what to do, and left as they are.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use oauth_marathon::ErrorKind;
use oauth_marathon::store::FileStore;

use crate::file_store::place::{Place, raise, skip};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

/// A store with one record.
async fn store() -> (Place, FileStore) {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    (place, store)
}

/// All files of a folder: their paths, modes and contents.
fn look(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut seen: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|ending| ending != "lock"))
        .map(|path| (path.clone(), mode(&path), if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() }))
        .collect();
    seen.sort();
    seen
}

/// Asserts that after `attack` opening the store, and changing it through an old handle, are refused with these words.
async fn refused(what: &str, attack: impl FnOnce(&Path), said: &[&str]) {
    let (place, before) = store().await;
    attack(&place.path);
    let folder = place.path.parent().unwrap();
    let seen = look(folder);
    let error = FileStore::open(&place.path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreExposed, "{what}: {error}");
    let text = error.to_string();
    for said in said.iter().chain(&[folder.to_str().unwrap()]) {
        assert!(text.contains(said), "{what}: {text}");
    }
    if !said.contains(&"chmod 700") {
        raise(&before, "work").await.expect_err(what);
    }
    assert_eq!(look(folder), seen, "{what}");
}

#[tokio::test]
async fn links_and_wide_modes_are_refused() {
    for wide in [0o644, 0o640, 0o604, 0o602, 0o660, 0o777, 0o610] {
        let shown = format!("mode {wide:04o}");
        refused(&shown, |path| chmod(path, wide), &[&shown, "chmod 600"]).await;
    }
    for wide in [0o755, 0o750, 0o701, 0o777, 0o720] {
        let shown = format!("mode {wide:04o}");
        refused(&shown, |path| chmod(path.parent().unwrap(), wide), &[&shown, "chmod 700"]).await;
    }
    let to_elsewhere = |path: &Path| {
        fs::rename(path, beside(path, "elsewhere")).unwrap();
        symlink(beside(path, "elsewhere"), path).unwrap();
    };
    refused("a link", to_elsewhere, &["is a symbolic link", "name the real file"]).await;
    let to_nowhere = |path: &Path| {
        fs::remove_file(path).unwrap();
        symlink("/nowhere/at/all", path).unwrap();
    };
    refused("a link to nowhere", to_nowhere, &["is a symbolic link"]).await;
    refused("a hard link", |path| fs::hard_link(path, beside(path, "twin")).unwrap(), &["hard link"]).await;
    let folder = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    refused("a folder", folder, &["no regular file"]).await;
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    };
    refused("a pipe", pipe, &["no regular file"]).await;
}

#[tokio::test]
async fn the_lock_is_guarded_like_the_store() {
    let lock = |path: &Path| beside(path, "credentials.json.lock");
    let link = |path: &Path| {
        fs::remove_file(lock(path)).unwrap();
        fs::write(beside(path, "victim"), "keep me").unwrap();
        symlink(beside(path, "victim"), lock(path)).unwrap();
    };
    refused("a linked lock", link, &["credentials.json.lock is a symbolic link"]).await;
    refused("a wide lock", |path| chmod(&lock(path), 0o666), &["mode 0666", "chmod 600"]).await;
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can give files away");
    }
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(12_345), None).unwrap();
    refused("the file", give, &["belongs to the user 12345", "chown 0"]).await;
    let (place, _) = store().await;
    give(place.path.parent().unwrap());
    let error = FileStore::open(&place.path).await.unwrap_err();
    assert!(error.to_string().contains("belongs to the user 12345"), "{error}");
}

#[tokio::test]
async fn files_and_folders_are_made_for_this_user_alone() {
    let place = Place::new();
    let path = place.folder.path().join("a").join("b").join("c").join("credentials.json");
    let store = FileStore::open(&path).await.unwrap();
    for _ in 0..50 {
        raise(&store, "work").await.unwrap().unwrap();
        assert_eq!(mode(&path), 0o600);
    }
    assert_eq!(mode(&beside(&path, "credentials.json.lock")), 0o600);
    for folder in ["a", "a/b", "a/b/c"] {
        assert_eq!(mode(&place.folder.path().join(folder)), 0o700);
    }
}

#[tokio::test]
async fn one_store_by_two_paths_has_one_lock() {
    let (place, store) = store().await;
    let link = place.folder.path().join("link");
    symlink(place.path.parent().unwrap(), &link).unwrap();
    let other = FileStore::open(link.join("credentials.json")).await.unwrap();
    assert_eq!(other.path(), store.path());
    let (one, two) = tokio::join!(raise(&store, "a"), raise(&other, "b"));
    assert_eq!((one.unwrap(), two.unwrap()), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_path_that_cannot_be_one_is_an_error() {
    let (place, _) = store().await;
    for (path, said) in [(PathBuf::from("/"), "no path of a file"), (place.path.join("x.json"), "could not be placed")]
    {
        let error = FileStore::open(path).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn what_killed_writers_left_is_cleaned_and_nothing_else() {
    let (place, _) = store().await;
    for name in [".credentials.json.abc123.tmp", ".other.json.abc123.tmp", "notes.tmp"] {
        fs::write(beside(&place.path, name), "{").unwrap();
    }
    FileStore::open(&place.path).await.unwrap();
    let mut left = place.leftovers();
    left.sort();
    assert_eq!(left, [".other.json.abc123.tmp", "notes.tmp"]);
}
