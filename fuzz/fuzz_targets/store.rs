//! Opens the file of a store from any bytes. What was read is the same after it has been written.
#![no_main]

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, io::Write as _, process};

use libfuzzer_sys::fuzz_target;
use oauth_marathon::store::{FileStore, Store};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// In memory, where there is such a place: every run writes it.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { env::temp_dir() };
    let folder = base.join(format!("oauth-marathon-fuzz-{}", process::id()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder");
    folder
});

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.join("credentials.json");
    let _ = fs::remove_file(&path);
    let file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(data)).expect("it can be written");
    RUNTIME.block_on(async {
        // What cannot be understood is an error, and stays as it was.
        let Ok(store) = FileStore::open(&path).await else {
            return assert_eq!(fs::read(&path).expect("it is there"), data);
        };
        let Some(provider) = store.providers().await.expect("it was read before").into_iter().next() else { return };
        let entries = store.load_all(&provider).await.expect("it was read before");
        let order: Vec<_> = entries.iter().rev().map(|entry| entry.record.credential.id().clone()).collect();
        // A later version may be read and not written.
        if store.set_order(&provider, &order).await.is_ok() {
            let after = FileStore::open(&path).await.expect("we wrote it").load_all(&provider).await;
            let after: Vec<_> = after.expect("we wrote it").into_iter().rev().map(|entry| format!("{entry:?}")).collect();
            let before: Vec<_> = entries.iter().map(|entry| format!("{entry:?}")).collect();
            assert_eq!(after, before);
        }
    });
});
