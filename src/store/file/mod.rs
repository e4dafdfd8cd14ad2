//! Credentials in a file that survives crashes and that several processes share.
//!
//! Of the stores, only this one touches the disk. It is more than one write, because a process may be killed at any
//! moment, other processes and people change the same file, disks run full, and a token that is lost here is a lost
//! login.

mod attendant;
mod blocking;
mod error;
mod folder;
mod guard;
mod lock;
mod notes;
mod room;
mod save;
mod shared;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::blocking::blocking;
use self::room::Room;
use self::shared::SharedFile;
use super::{CasOutcome, Changes, Entry, HealthChange, Record, Revision, Store, StoreKey, StoreLease, format};
use crate::credentials::{CredentialId, Generation};
use crate::error::{BoxError, Error};

/// A [`Store`] in a file. A clone is the same store; several processes may open the same file.
///
/// - A change is on the disk before it is reported as stored: the new content is written to a file beside the old one,
///   synced, and put in its place in one step. A process that is killed at any moment leaves the old content or the new.
/// - Writers take turns by a lock on a file beside the store. Readers need none. If the lock file is removed, still no
///   change is lost: a writer that finds another store file than the one that it has read begins again.
/// - If a file that this handle has seen is gone, reads and writes are errors until it is back: it does not count as
///   empty, and is not made again. Only for a handle that has never seen it, a missing file is an empty store.
/// - A record with the [intent](super::Record::intent) of a refresh is stored together with room on the disk for the
///   new tokens: if the disk is too full for them, no refresh begins.
/// - A lease ends with its process, however long that takes; `leaseMs` of the settings does not shorten it.
/// - The file is of mode 0600 in a folder of mode 0700. A link, a wider mode or a foreign owner is refused with an error
///   that says what to do.
/// - A file that cannot be read is an error, and is never overwritten. Members that this version does not know are kept,
///   and a file of a later version is only read.
/// - Health is written at most once a second, by a task in the background; [`Store::flush`] writes it at once.
/// - Watching reads the file's metadata twice a second, and costs nothing while no caller watches.
///
/// The file is JSON with a checksum. If you edit it by hand, set the member `checksum` to `"unchecked"`.
///
/// All methods need a tokio runtime with its time enabled; files are touched on its threads for blocking work only. Network
/// file systems that several machines share are not supported.
///
/// ```
/// use oauth_marathon::store::{FileStore, Record, Store, StoreKey};
/// use oauth_marathon::{BoxError, Credential, Generation, TokenSet};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("oauth-marathon/credentials.json");
/// let store = FileStore::open(path).await?;
/// let work = Credential::new("work", TokenSet::new("access").with_refresh("refresh"));
/// let key = StoreKey::new("openai", "work");
/// store.compare_and_set(&key, None, Some(Record::new(work, Generation::new(1)))).await?;
/// assert_eq!(store.load_all("openai").await?.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileStore(Arc<SharedFile>);

impl FileStore {
    /// Opens the store of this user: `oauth-marathon/credentials.json` in the folder that the platform has for the data of
    /// applications (`$XDG_DATA_HOME`, or `~/.local/share`, on Linux).
    ///
    /// # Errors
    ///
    /// If there is no such folder, and for the reasons of [`FileStore::open`].
    pub async fn open_default() -> Result<Self, Error> {
        let strategy = etcetera::base_strategy::choose_native_strategy().ok();
        let data = strategy.map(|strategy| etcetera::BaseStrategy::data_dir(&strategy));
        Self::open(folder::default_path(data)?).await
    }

    /// Opens the store in this file. A file that does not exist is an empty store, and is made by the first change; its
    /// folder is made at once. Drafts that killed writers have left behind are removed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made, if the file or its folder is open to others or belongs to another user, or if the file
    /// cannot be read.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let shared = blocking(move || SharedFile::open(&path)).await?;
        Ok(Self(Arc::new(shared)))
    }

    /// The file, with all links in its folder's path resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Store for FileStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        let key = key.clone();
        Ok(self.0.read(move |records| records.get(&key).cloned()).await?)
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let (key, next) = (key.clone(), next.map(format::cut));
        let change = move |records: &mut super::all_records::AllRecords| {
            let room = Room::of(&key, records.get(&key).map(|held| &held.record), next.as_ref());
            let outcome = records.compare_and_set(&key, expected, next.clone())?;
            let changed = !matches!(outcome, CasOutcome::Conflict(_));
            Ok((outcome, changed.then_some(room)))
        };
        Ok(self.0.change(change).await?)
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        let provider = provider.to_owned();
        Ok(self.0.read(move |records| records.all(&provider)).await?)
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        Ok(self.0.read(super::all_records::AllRecords::names).await?)
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        let (provider, order) = (provider.to_owned(), order.to_vec());
        let change = move |records: &mut super::all_records::AllRecords| {
            Ok(((), records.set_order(&provider, &order).then_some(Room::AsNeeded)))
        };
        Ok(self.0.change(change).await?)
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        let path = self.0.lease_path(key);
        let lease = lock::lease(path, patience).await?;
        Ok(lease.map(StoreLease::new))
    }

    fn watch(&self) -> Changes {
        watch::changes(self.0.path())
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        attendant::note(&self.0, key, generation, change);
    }

    async fn flush(&self) -> Result<(), BoxError> {
        Ok(self.0.write_notes().await?)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.0.path()).finish_non_exhaustive()
    }
}
