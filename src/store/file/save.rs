//! Replacing a file in one step, safe on the disk before it returns.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::folder;

const PREFIX: &str = ".";
const SUFFIX: &str = ".tmp";

/// The beginning of the names of the files that writers of this store put beside it.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or(OsStr::new("store")).to_string_lossy();
    format!("{PREFIX}{name}.")
}

/// Replaces the content of `path`. After an error the old content is there, or, if only the folder could not be synced, the
/// new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A new name each time, made by us alone, of mode 0600; removed again if a step fails.
    let mut file = tempfile::Builder::new().prefix(&prefix(path)).suffix(SUFFIX).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    folder::sync(folder)
}

/// Removes what killed writers have left. Only for who holds the lock of writers: nobody is writing then.
pub(super) fn clean(path: &Path) -> io::Result<()> {
    let prefix = prefix(path);
    for entry in fs::read_dir(path.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(SUFFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
