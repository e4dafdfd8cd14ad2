//! All that a store holds, as one text.

use std::collections::BTreeMap;

use super::all_records::{AllRecords, ProviderRecords};
use super::format::{Document, Problem};
use super::{Entry, Store};
use crate::credentials::{Generation, Secret};
use crate::error::{BoxError, Error, ErrorKind};

/// The records of a whole store: a backup, or the way into another store. Its text is that of a
/// [`FileStore`](super::FileStore)'s file, with a checksum, so damage shows. It holds no traces of what was removed.
///
/// ```
/// use oauth_marathon::store::{CasOutcome, FileStore, MemoryStore, Record, Store, StoreContent, StoreKey};
/// use oauth_marathon::{BoxError, Credential, Generation, Secret};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// let (from, to) = (MemoryStore::new(), MemoryStore::new());
/// let record = Record::new(Credential::new("key", Secret::new("sk-1")), Generation::new(1));
/// let key = StoreKey::new("openai", "key");
/// assert!(matches!(from.compare_and_set(&key, None, Some(record.clone())).await?, CasOutcome::Stored(_)));
///
/// let backup = StoreContent::load(&from).await?.to_text()?;
///
/// for (provider, entries) in StoreContent::from_text(backup.expose().as_bytes())?.providers {
///     for entry in entries {
///         let key = StoreKey::new(&*provider, entry.record.credential.id());
///         assert!(matches!(to.compare_and_set(&key, None, Some(entry.record)).await?, CasOutcome::Stored(_)));
///     }
/// }
/// assert_eq!(to.load(&key).await?.unwrap().record, record);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreContent {
    /// The records of each provider, in their order of use.
    pub providers: BTreeMap<String, Vec<Entry>>,
}

impl StoreContent {
    /// Reads all records of a store.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or cannot list what it holds.
    pub async fn load(store: &impl Store) -> Result<Self, BoxError> {
        let mut content = Self::default();
        for provider in store.providers().await? {
            let entries = store.load_all(&provider).await?;
            content.providers.insert(provider, entries);
        }
        Ok(content)
    }

    /// The text, with all secrets.
    ///
    /// # Errors
    ///
    /// Of kind [`Store`](ErrorKind::Store), if it cannot be written as JSON.
    pub fn to_text(&self) -> Result<Secret, Error> {
        let mut all = AllRecords::default();
        for (name, entries) in &self.providers {
            let newest = entries.iter().map(|entry| entry.revision.get()).max();
            all.revision = all.revision.max(newest.unwrap_or(0));
            let records = ProviderRecords { entries: entries.clone(), removed: Generation::default() };
            all.providers.insert(name.clone(), records);
        }
        let mut document = Document::default();
        document.update(&all);
        let failed = |problem: Problem| Error::new(ErrorKind::Store, problem.to_string());
        document.secret().map_err(failed)
    }

    /// Reads a text that [`StoreContent::to_text`] or a `FileStore` has written.
    ///
    /// # Errors
    ///
    /// Of kind [`StoreCorrupt`](ErrorKind::StoreCorrupt), with the place and what would be right there; it shows no value.
    /// Of kind [`StoreVersion`](ErrorKind::StoreVersion), if a later version has written the text, as a part of it would be lost.
    pub fn from_text(text: &[u8]) -> Result<Self, Error> {
        let corrupt = |problem: Problem| Error::new(ErrorKind::StoreCorrupt, problem.to_string());
        let document = Document::parse(text).map_err(corrupt)?;
        if let Some(version) = document.later_version() {
            let message = format!(
                "the text has version {version}, which a later version of oauth-marathon has written; read it with that one"
            );
            return Err(Error::new(ErrorKind::StoreVersion, message));
        }
        let all = document.records().map_err(corrupt)?;
        let providers = all.providers.into_iter().map(|(provider, records)| (provider, records.entries)).collect();
        Ok(Self { providers })
    }
}
