//! The state that the handles of one store share, and how they read and change the file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::blocking::blocking;
use super::error::{busy, corrupt, failed, gone, later_version};
use super::notes::Notes;
use super::room::{Room, Rooms};
use super::save::{self, Draft, Placed};
use super::{folder, guard, lock};
use crate::error::{Error, ErrorKind};
use crate::store::StoreKey;
use crate::store::all_records::AllRecords;
use crate::store::format::Document;

/// How often a change begins again because another file stands there meanwhile. Writers that hold the lock never need
/// it.
const TRIES: usize = 16;

#[derive(Debug)]
pub(super) struct SharedFile {
    path: PathBuf,
    lock: PathBuf,
    /// Held by the one thread that waits for the lock between processes.
    turn: Arc<Mutex<()>>,
    pub(super) notes: Notes,
    rooms: Rooms,
    /// Whether the file has been seen. From then on a missing file is an error, and not an empty store.
    seen: AtomicBool,
}

impl SharedFile {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let path = folder::prepare(path)?;
        let lock = beside(&path, "lock");
        let (turn, notes, rooms) = (Arc::default(), Notes::default(), Rooms::default());
        let shared = Self { path, lock, turn, notes, rooms, seen: AtomicBool::new(false) };
        shared.records()?;
        shared.clean()?;
        Ok(shared)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file whose lock is the lease of a key. If two keys had the same file, they would only wait for each other.
    pub(super) fn lease_path(&self, key: &StoreKey) -> PathBuf {
        let plain = |text: &str| -> String {
            let kept = text.chars().take(24);
            kept.map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
        };
        let mut sum = crc32fast::Hasher::new();
        sum.update(key.provider().as_bytes());
        sum.update(&[0]);
        sum.update(key.credential().as_str().as_bytes());
        let (provider, credential) = (plain(key.provider()), plain(key.credential().as_str()));
        beside(&self.path, &format!("{provider}.{credential}.{:08x}.lease", sum.finalize()))
    }

    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&AllRecords) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.clone();
        blocking(move || shared.records().map(|records| read(&records))).await
    }

    /// Changes the content. `change` says whether it changed anything, and what room the change needs.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl Fn(&mut AllRecords) -> Result<(T, Option<Room>), Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.in_turn(move |shared| shared.rewrite(change)).await
    }

    /// Writes the waiting notes; after a failure they wait on.
    pub(super) async fn write_notes(self: &Arc<Self>) -> Result<(), Error> {
        if self.notes.are_empty() {
            return Ok(());
        }
        let write = |shared: &Self| {
            let notes = shared.notes.take();
            let written = shared.rewrite(|records| {
                let mut changed = false;
                for (key, generation, change) in notes.iter() {
                    changed |= records.note(key, generation, change)?;
                }
                Ok(((), changed.then_some(Room::AsNeeded)))
            });
            if written.is_err() {
                shared.notes.give_back(notes);
            }
            written
        };
        self.in_turn(write).await
    }

    async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        write: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(lock::PATIENCE, self.turn.clone().lock_owned()).await;
        let turn = turn.map_err(|_| busy(&self.lock))?;
        let shared = self.clone();
        blocking(move || {
            let _turn = turn;
            write(&shared)
        })
        .await
    }

    fn rewrite<T>(&self, change: impl Fn(&mut AllRecords) -> Result<(T, Option<Room>), Error>) -> Result<T, Error> {
        for _ in 0..TRIES {
            let _lock: File = lock::wait(&self.lock, lock::PATIENCE)?;
            let (mut document, before) = self.held_document()?;
            if let Some(version) = document.later_version() {
                return Err(later_version(&self.path, version));
            }
            let mut records = document.records().map_err(|problem| corrupt(&self.path, &problem))?;
            let (value, room) = change(&mut records)?;
            let Some(room) = room else { return Ok(value) };
            document.update(&records);
            let text = document.text().map_err(|problem| corrupt(&self.path, &problem))?;
            let placed = self.write(&room, &text, before.as_ref());
            if placed.map_err(|source| failed(&self.path, "written", source))? == Placed::Done {
                return Ok(value);
            }
        }
        Err(busy(&self.lock))
    }

    /// Writes new content in the place of the file `before`, which was read.
    fn write(&self, room: &Room, text: &[u8], before: Option<&File>) -> io::Result<Placed> {
        let next = Rooms::before(room, &self.path, text.len())?;
        let taken = self.rooms.taken(room);
        let was_taken = taken.is_some();
        let mut draft = match taken {
            Some(draft) => draft,
            None => Draft::new(&self.path)?,
        };
        if let Err(error) = draft.fill(text) {
            if was_taken {
                self.rooms.give_back(room, draft);
            }
            return Err(error);
        }
        let placed = draft.place(&self.path, before)?;
        if placed == Placed::Done {
            self.seen.store(true, Relaxed);
            self.rooms.keep(next);
        }
        Ok(placed)
    }

    fn records(&self) -> Result<AllRecords, Error> {
        self.document()?.0.records().map_err(|problem| corrupt(&self.path, &problem))
    }

    /// Reads the content, and returns it with its file. Only a file that was never seen counts as an empty store.
    fn document(&self) -> Result<(Document, Option<File>), Error> {
        let Some(mut file) = guard::open(&self.path)? else {
            return if self.seen.load(Relaxed) { Err(gone(&self.path)) } else { Ok((Document::default(), None)) };
        };
        self.seen.store(true, Relaxed);
        let unreadable = |source: io::Error| failed(&self.path, "read", source);
        let size = file.metadata().map_err(unreadable)?.len();
        // Reserved in full, because a buffer that grows leaves its old piece behind, unwiped.
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1)));
        file.read_to_end(&mut text).map_err(unreadable)?;
        let document = Document::parse(&text).map_err(|problem| corrupt(&self.path, &problem))?;
        Ok((document, Some(file)))
    }

    /// Reads the content, and returns it with its locked file. While that file is open no other writer replaces it, not
    /// even one that holds another lock because the lock file was removed.
    fn held_document(&self) -> Result<(Document, Option<File>), Error> {
        lock::wait_for(&self.lock, lock::PATIENCE, || {
            let (document, file) = self.document()?;
            // On other platforms a lock would keep readers out as well.
            let is_held = match &file {
                Some(file) if cfg!(unix) => lock::hold(&self.path, file)?,
                _ => true,
            };
            Ok(is_held.then_some((document, file)))
        })
    }

    fn clean(&self) -> Result<(), Error> {
        let lock = match lock::now(&self.lock) {
            Err(error) if error.kind() == ErrorKind::StoreExposed => return Err(error),
            // Another process writes, or the file can only be read. The drafts are removed at a later opening.
            Err(_) | Ok(None) => return Ok(()),
            Ok(Some(lock)) => lock,
        };
        if let Err(error) = save::clean(&self.path) {
            tracing::debug!(target: "oauth_marathon", store = %self.path.display(), %error, "drafts of killed writers could not be removed");
        }
        drop(lock);
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}
