//! Detects changes of a file by its metadata: every save puts another file in its place.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::blocking::blocking;
use crate::store::Changes;
use crate::store::changes::{Compare, Comparing};

/// The longest time until a change is seen, unless the machine is busy.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) fn changes(path: &Path) -> Changes {
    Changes::by_comparing(INTERVAL, File { path: path.to_owned(), seen: Stamp::of(path) })
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// The parts of the metadata that differ after a save.
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

impl Compare for File {
    fn has_changed(&mut self) -> Comparing<'_> {
        Box::pin(async {
            let path = self.path.clone();
            let Ok(stamp) = blocking(move || Ok(Stamp::of(&path))).await else { return false };
            let changed = stamp != self.seen;
            self.seen = stamp;
            changed
        })
    }
}
