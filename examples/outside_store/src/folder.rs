//! A store over a folder: each record is a file with the text of the record.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oauth_marathon::store::{CasOutcome, Entry, Record, Revision, Store, StoreKey};
use oauth_marathon::{BoxError, Generation, Secret};

/// Keeps records in a folder, for one process. A clone is the same store.
///
/// It has the two methods that a store must have, so a pool that is built can keep its tokens here:
///
/// ```
/// use oauth_marathon::{Credential, Pool, Secret};
/// use outside_store::FolderStore;
///
/// # fn main() -> Result<(), oauth_marathon::BoxError> {
/// # let folder = tempfile::tempdir()?;
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("key", Secret::new("sk-1")))
///     .store(FolderStore::new(folder.path()))
///     .build()?;
/// # let _ = pool;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: Arc<Path>,
    /// One writer at a time. Several processes would need a lock file.
    turn: Arc<Mutex<()>>,
}

/// What the file of a key holds. It stays after a removal, because revisions and generations must not come back.
#[derive(Default)]
struct Kept {
    revision: u64,
    /// The generation of the record that was removed last.
    removed: Generation,
    record: Option<Record>,
}

impl FolderStore {
    /// A store in this folder, which must exist. Nobody else should be able to read it: secrets are not encrypted.
    #[must_use]
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self { folder: folder.as_ref().into(), turn: Arc::default() }
    }

    /// The file of a key. Its parts are written in hexadecimal digits, because an id may be `../work`, and because some
    /// file systems do not tell `Work` from `work`.
    fn file(&self, key: &StoreKey) -> PathBuf {
        let hex = |part: &str| part.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.folder.join(format!("{}-{}.record", hex(key.provider()), hex(key.credential().as_str())))
    }
}

impl Store for FolderStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        let file = self.file(key);
        // Files block, and the pool calls a store within its runtime.
        tokio::task::spawn_blocking(move || Ok(Kept::read(&file)?.entry())).await?
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let (file, turn, id) = (self.file(key), self.turn.clone(), key.credential().clone());
        let change = move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = Kept::read(&file)?;
            let held = kept.entry();
            if held.as_ref().map(|entry| entry.revision) != expected {
                return Ok(CasOutcome::Conflict(held));
            }
            if next.as_ref().is_some_and(|next| *next.credential.id() != id) {
                return Err("the record is of another credential than its key".into());
            }
            let after = kept.followed_by(next)?;
            after.write(&file)?;
            Ok(after.entry().map_or(CasOutcome::Removed, CasOutcome::Stored))
        };
        tokio::task::spawn_blocking(change).await?
    }
}

impl Kept {
    /// Two lines with numbers, and the record's own text. A key without a file is an empty one; a file that cannot be
    /// understood is an error.
    fn read(file: &Path) -> Result<Self, BoxError> {
        let text = match fs::read_to_string(file) {
            // As a `Secret` it is wiped from memory in the end.
            Ok(text) => Secret::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let mut lines = text.expose().lines();
        let mut number = || lines.next().unwrap_or_default().parse();
        let (revision, removed) = (number()?, Generation::new(number()?));
        let record = lines.next().map(Record::from_text).transpose()?;
        Ok(Self { revision, removed, record })
    }

    fn write(&self, file: &Path) -> Result<(), BoxError> {
        let record = self.record.as_ref().map_or_else(|| Secret::new(""), Record::to_text);
        let text = Secret::new(format!("{}\n{}\n{}", self.revision, self.removed, record.expose()));
        // In one step, so that a crash leaves the old content or the new.
        let beside = file.with_extension("new");
        let mut new = File::create(&beside)?;
        new.write_all(text.expose().as_bytes())?;
        new.sync_all()?;
        Ok(fs::rename(beside, file)?)
    }

    fn entry(&self) -> Option<Entry> {
        self.record.clone().map(|record| Entry::new(record, Revision::new(self.revision)))
    }

    /// What is kept once `next` is stored, or the record is removed.
    fn followed_by(self, mut next: Option<Record>) -> Result<Self, BoxError> {
        let held = self.record.as_ref().map(|record| record.generation);
        if let Some(next) = &mut next {
            match held {
                Some(held) if next.generation < held => {
                    return Err("the record is older than the one it replaces".into());
                }
                Some(_) => {}
                None if self.removed == Generation::default() => {}
                None => next.generation = next.generation.max(self.removed.next()),
            }
        }
        let removed = if next.is_none() { held.unwrap_or(self.removed) } else { self.removed };
        Ok(Self { revision: self.revision + 1, removed, record: next })
    }
}
