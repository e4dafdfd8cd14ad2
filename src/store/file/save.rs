//! Replaces the content of a file in one step, safe on the disk before it returns.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::{folder, guard};

const PREFIX: &str = ".";
const SUFFIX: &str = ".tmp";

/// The ending of a file that another program has written and that cannot be put back. Only a person removes it.
const KEPT: &str = "kept";

/// The beginning of the names that writers of this store give to their files beside it.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or(OsStr::new("store")).to_string_lossy();
    format!("{PREFIX}{name}.")
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A draft: a file beside the store with the next content. It is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Draft(NamedTempFile);

/// How the attempt to put a draft in the place of the store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    Done,
    /// Another file than the one that was read stands there. Nothing was changed.
    Overtaken,
}

impl Draft {
    /// An empty draft: under a new name each time, made by this process alone, of mode 0600.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let draft = tempfile::Builder::new().prefix(&prefix(path)).suffix(SUFFIX).tempfile_in(folder_of(path))?;
        // The lock tells a cleaner that the writer lives. Without it the draft may be removed, which the writer notices.
        #[cfg(unix)]
        let _ = draft.as_file().try_lock();
        Ok(Self(draft))
    }

    /// A draft that has reserved this many bytes on the disk.
    pub(super) fn with_room(path: &Path, room: u64) -> io::Result<Self> {
        let mut draft = Self::new(path)?;
        io::copy(&mut io::repeat(0).take(room), &mut draft.0)?;
        Ok(draft)
    }

    /// Writes all of the new content. After an error the draft can be filled again.
    pub(super) fn fill(&mut self, content: &[u8]) -> io::Result<()> {
        let file = self.0.as_file_mut();
        file.rewind()?;
        file.write_all(content)?;
        file.set_len(content.len() as u64)?;
        file.sync_all()
    }

    /// Puts the draft in the place of the file `before`, which was read, or of no file. If another file stands there,
    /// nothing changes. After an error the old content is there; or the new one, if only the folder could not be
    /// synced.
    pub(super) fn place(self, path: &Path, before: Option<&File>) -> io::Result<Placed> {
        let placed = match before {
            None => self.place_new(path)?,
            Some(before) => self.replace(path, before)?,
        };
        if placed == Placed::Done {
            folder::sync(folder_of(path))?;
        }
        Ok(placed)
    }

    fn place_new(self, path: &Path) -> io::Result<Placed> {
        match self.0.persist_noclobber(path) {
            Ok(_) => Ok(Placed::Done),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Placed::Overtaken),
            Err(error) => Err(error.error),
        }
    }

    /// Swaps the draft and the file. Swapping fails if there is no file, and shows afterwards which file stood there:
    /// so a file that was moved away is not made again, and another file in its place is not overwritten.
    fn replace(self, path: &Path, before: &File) -> io::Result<Placed> {
        match swap(self.0.path(), path) {
            Ok(()) if guard::is_at(self.0.path(), before) => Ok(Placed::Done),
            Ok(()) => self.put_back(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Placed::Overtaken),
            Err(error) if cannot_swap(&error) => match guard::is_at(path, before) {
                true => self.0.persist(path).map(|_| Placed::Done).map_err(|error| error.error),
                false => Ok(Placed::Overtaken),
            },
            Err(error) => Err(error),
        }
    }

    /// Puts back a file that came out of the swap and is not the one that was read. This happens only if a person or
    /// another program moves files, because writers lock the file that they replace.
    fn put_back(self, path: &Path) -> io::Result<Placed> {
        if swap(self.0.path(), path).is_ok() {
            if guard::is_at(self.0.path(), self.0.as_file()) {
                return Ok(Placed::Overtaken);
            }
            // A file that was put in the place of the draft stays there.
            let _ = swap(self.0.path(), path);
        }
        // Content that another program has written is kept in any case.
        let kept = self.0.path().with_extension(KEPT);
        let Err(error) = self.0.persist_noclobber(path) else { return Ok(Placed::Overtaken) };
        if let Err(error) = error.file.persist_noclobber(&kept) {
            // If it cannot be renamed, it is kept under the name of a draft.
            error.file.keep().map_err(|error| error.error)?;
            return Err(error.error);
        }
        let message =
            format!("another file was put in its place meanwhile; what stood there before is {}", kept.display());
        Err(io::Error::other(message))
    }
}

#[cfg(target_os = "linux")]
fn swap(draft: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, draft, CWD, path, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn swap(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether this platform or this file system cannot swap files at all.
fn cannot_swap(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Removes drafts that killed writers have left. The draft of a living writer stays.
pub(super) fn clean(path: &Path) -> io::Result<()> {
    let prefix = prefix(path);
    for entry in fs::read_dir(folder_of(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(SUFFIX) && is_left(&entry.path()) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a draft is locked by no living writer.
fn is_left(draft: &Path) -> bool {
    #[cfg(unix)]
    {
        !matches!(File::open(draft).map(|file| file.try_lock()), Ok(Err(fs::TryLockError::WouldBlock)))
    }
    #[cfg(not(unix))]
    {
        let _ = draft;
        true
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_put_in_its_place_meanwhile_is_kept_where_nobody_cleans_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("store"), folder.path().join("other"));
        fs::write(&path, "second").unwrap();
        let draft = Draft::new(&path).unwrap();
        // The file that has come out in place of the one that was read.
        fs::write(&other, "first").unwrap();
        fs::rename(&other, draft.0.path()).unwrap();
        let error = draft.put_back(&path).unwrap_err().to_string();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        clean(&path).unwrap();
        let kept = error.rsplit(' ').next().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "first", "{error}");
    }
}
