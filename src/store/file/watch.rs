//! Seeing changes of a file by its metadata: every save puts another file in its place.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::blocking::blocking;
use crate::store::Changes;
use crate::store::changes::{Look, Looking};

/// How long after a change it is seen at the latest, but for a busy machine.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) fn changes(path: &Path) -> Changes {
    Changes::by_looking(INTERVAL, File { path: path.to_owned(), seen: Stamp::of(path) })
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// What differs after a save.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: Option<SystemTime>,
    size: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { inode, modified: metadata.modified().ok(), size: metadata.len() })
    }
}

impl Look for File {
    fn look(&mut self) -> Looking<'_> {
        Box::pin(async {
            let path = self.path.clone();
            let Ok(stamp) = blocking(move || Ok(Stamp::of(&path))).await else { return false };
            let changed = stamp != self.seen;
            self.seen = stamp;
            changed
        })
    }
}
