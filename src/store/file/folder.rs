//! Finds the place of a store, and makes and checks the folder around it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::failed;
use super::guard;
use crate::error::{Error, ErrorKind};

/// The path of this user's store in the platform's folder for the data of applications.
pub(super) fn default_path(data: Option<PathBuf>) -> Result<PathBuf, Error> {
    let data = data.filter(|data| data.is_absolute()).ok_or_else(|| {
        let message = "this user has no home directory to keep credentials in; set HOME or XDG_DATA_HOME, or name a file with FileStore::open";
        Error::new(ErrorKind::Store, message)
    })?;
    Ok(data.join("oauth-marathon").join("credentials.json"))
}

/// Makes the folder of `path` if there is none, checks it, and returns the path with all links resolved: a process that opens
/// the same file by another path has to find the same lock beside it.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, Error> {
    let Some(name) = path.file_name() else {
        let message = format!("the store {} is no path of a file; name one, such as credentials.json", path.display());
        return Err(Error::new(ErrorKind::Store, message));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    make(folder).map_err(|source| failed(path, "placed in its folder", source))?;
    let folder = fs::canonicalize(folder).map_err(|source| failed(path, "found", source))?;
    guard::check_folder(&folder)?;
    Ok(folder.join(name))
}

/// Makes a folder and its missing parents, and syncs each into its parent.
fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(above)?;
    match builder().create(folder) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync(above)
}

fn builder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "there are no modes to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Syncs a folder, so that the names in it are as safe as the files.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
