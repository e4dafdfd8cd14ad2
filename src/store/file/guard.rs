//! Opens files that only this user may reach: no links, no foreign owner, no mode that lets others in.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::error::{exposed, failed};
use crate::error::Error;

/// Opens a file that only this user may read, if it exists.
pub(super) fn open(path: &Path) -> Result<Option<File>, Error> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file to lock it, and makes it if there is none.
pub(super) fn open_lock(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    open_with(path, &mut options)?.ok_or_else(|| failed(path, "locked", io::Error::from(io::ErrorKind::NotFound)))
}

fn open_with(path: &Path, options: &mut OpenOptions) -> Result<Option<File>, Error> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Without this, opening a pipe would block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => {
            return Err(exposed(path, "is a symbolic link", "name the real file instead, or remove the link"));
        }
        Err(error) => return Err(failed(path, "opened", error)),
    };
    let metadata = file.metadata().map_err(|error| failed(path, "looked at", error))?;
    check_file(path, &metadata)?;
    Ok(Some(file))
}

/// Whether `path` names this very file.
pub(super) fn is_at(path: &Path, file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let there = path.symlink_metadata().map(identity).ok();
        there.is_some() && there == file.metadata().map(identity).ok()
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

fn check_file(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(exposed(path, "is no regular file", "remove it, or name another one"));
    }
    #[cfg(unix)]
    {
        if std::os::unix::fs::MetadataExt::nlink(metadata) > 1 {
            return Err(exposed(
                path,
                "has a second name, a hard link",
                "remove the other name, or copy it to a file of its own",
            ));
        }
        check_access(path, metadata, "600")?;
    }
    Ok(())
}

/// Checks the owner and the mode of a folder. The links in `folder` are resolved.
pub(super) fn check_folder(folder: &Path) -> Result<(), Error> {
    let metadata = folder.symlink_metadata().map_err(|error| failed(folder, "looked at", error))?;
    if !metadata.is_dir() {
        return Err(exposed(folder, "is no folder", "remove it, or name a file in another folder"));
    }
    #[cfg(unix)]
    check_access(folder, &metadata, "700")?;
    Ok(())
}

#[cfg(unix)]
fn check_access(path: &Path, metadata: &Metadata, wanted: &str) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let what = format!("belongs to the user {}, and this process runs as {user}", metadata.uid());
        let remedy = format!("give it to this user (chown {user} {}), or keep the store elsewhere", path.display());
        return Err(exposed(path, &what, &remedy));
    }
    if metadata.mode() & 0o077 != 0 {
        let what = format!("is open to others (mode {:04o})", metadata.mode() & 0o7777);
        let own = if wanted == "700" { ", or keep the store in a folder of its own" } else { "" };
        return Err(exposed(path, &what, &format!("close it (chmod {wanted} {}){own}", path.display())));
    }
    Ok(())
}
