//! The errors of a file store, each with the path and the remedy. No message shows a token.

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::store::format::Problem;

pub(super) fn failed(path: &Path, doing: &str, source: io::Error) -> Error {
    let remedy = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space and try again; what was stored before is intact"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only; mount it writable, or keep the store elsewhere"
        }
        io::ErrorKind::PermissionDenied => "let this user read and write its folder, or keep the store elsewhere",
        io::ErrorKind::NotFound => "its folder is gone; move it back, or open the store again to begin a new one",
        _ => "look after the disk; the store is whole, with what it held before or with the new content",
    };
    let message = format!("the store {} could not be {doing}: {source}; {remedy}", path.display());
    Error::new(ErrorKind::Store, message).with_source(source)
}

/// The error for a file that is gone although this handle has seen it. It says that the content may still be needed.
pub(super) fn gone(path: &Path) -> Error {
    let message = format!(
        "the store {} is gone, although it was there before; move it back, or, if it was removed on purpose, open the store again to begin a new one",
        path.display()
    );
    Error::new(ErrorKind::Store, message)
}

pub(super) fn corrupt(path: &Path, problem: &Problem) -> Error {
    let message = format!(
        "the store {} cannot be understood: {problem}; it is left as it is: repair it, or move it away and log in again",
        path.display()
    );
    Error::new(ErrorKind::StoreCorrupt, message)
}

pub(super) fn later_version(path: &Path, version: u64) -> Error {
    let message = format!(
        "the store {} is of version {version} of its format, which this program can only read; update the program to change it",
        path.display()
    );
    Error::new(ErrorKind::StoreVersion, message)
}

pub(super) fn exposed(path: &Path, what: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::StoreExposed, format!("{} {what}; {remedy}", path.display()))
}

pub(super) fn busy(lock: &Path) -> Error {
    let message = format!(
        "another process has held the lock {} for too long; end it if it hangs (`fuser {}` names it), and try again",
        lock.display(),
        lock.display()
    );
    Error::new(ErrorKind::StoreBusy, message)
}
