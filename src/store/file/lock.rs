//! Locks between processes, on files that stay. A lock ends with the process that holds it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::blocking::blocking;
use super::error::{busy, failed};
use super::guard;
use crate::clock::{self, SystemClock, WallClock};
use crate::error::Error;

/// How long a writer waits for other writers. Each holds the lock for milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two tries to take a lock.
const NAP: Duration = Duration::from_millis(50);

/// Takes a lock within `patience`, on a thread that may block.
pub(super) fn wait(path: &Path, patience: Duration) -> Result<File, Error> {
    wait_for(path, patience, || now(path))
}

/// Repeats `ask`, which needs the lock at `path`, until it grants something or `patience` is over. Runs on a thread
/// that may block.
pub(super) fn wait_for<T>(
    path: &Path,
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    // Counted and not measured: this thread has no clock of its own.
    let (mut waited, mut nap) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        if let Some(granted) = ask()? {
            return Ok(granted);
        }
        if waited >= patience {
            return Err(busy(path));
        }
        thread::sleep(nap);
        waited += nap;
        nap = if waited < Duration::from_millis(100) { nap } else { Duration::from_millis(5) };
    }
}

/// Locks an open file. True if the lock is ours now and the file still stands at `path`.
pub(super) fn hold(path: &Path, file: &File) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(guard::is_at(path, file)),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(failed(path, "locked", source)),
    }
}

/// Takes the lock if it is free.
pub(super) fn now(path: &Path) -> Result<Option<File>, Error> {
    attempt(path, guard::open_lock(path)?)
}

/// Waits for a lock without blocking the runtime.
pub(super) async fn lease(path: PathBuf, patience: Duration) -> Result<Option<File>, Error> {
    let deadline = clock::now().checked_add(patience);
    let mut nap = Duration::from_millis(5);
    loop {
        let place = path.clone();
        if let Some(file) = blocking(move || now(&place)).await? {
            return Ok(Some(file));
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        if left == Some(Duration::ZERO) {
            return Ok(None);
        }
        tokio::time::sleep(left.map_or(nap, |left| left.min(nap))).await;
        nap = (nap * 2).min(NAP);
    }
}

fn attempt(path: &Path, file: File) -> Result<Option<File>, Error> {
    // A removed file is useless as a lock: the next process locks another one.
    if !hold(path, &file)? {
        return Ok(None);
    }
    // A cleaner may remove a file with an old date, and the next process would then lock another one.
    let _ = file.set_modified(SystemClock.now());
    Ok(Some(file))
}
