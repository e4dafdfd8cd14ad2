//! Credentials whose secrets are in the keyring of the operating system, and all else in another store.
//!
//! This room touches the keyring, and the other store through its trait alone. It is more than one entry for each credential,
//! because the keyring and the record cannot change in one step: each new secret gets an entry of its own, and the record
//! names the entry that counts.

mod secrets;
#[cfg(test)]
mod tests;
mod vault;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyring_core::CredentialStore;

use self::secrets::Secrets;
use self::vault::Vault;
use super::{CasOutcome, Changes, Entry, HealthChange, Record, Revision, Store, StoreKey, StoreLease};
use crate::credentials::{CredentialId, Generation};
use crate::error::{BoxError, Error, ErrorKind};

/// How often a record is read again because its secrets were replaced during the read.
const TRIES: usize = 8;

/// A [`Store`] that keeps secrets in the keyring of the operating system: tokens, keys and the values of extra headers.
/// Everything else, leases included, is in the store that it is made of, usually a `FileStore`. A clone is the same
/// store.
///
/// Each change of secrets is written to a keyring entry of its own, named in the record, before the record is changed;
/// the old entry is removed after that. So a process that dies in between leaves a whole record, and at worst an unused
/// entry. The next process that refreshes the credential removes it, if the keyring can be searched. Only an entry that
/// is left by a death while a credential is added or removed stays; its name begins with `PROVIDER/CREDENTIAL#`. A
/// record whose secrets are in the file itself is read, and moved to the keyring by its next change.
///
/// A keyring that is locked, absent or does not answer is an error, within a second, which says what to do. There is no
/// fallback to the file.
///
/// The application chooses the keyring, with a crate such as `dbus-secret-service-keyring-store` on Linux,
/// `apple-native-keyring-store` on macOS or `windows-native-keyring-store`.
///
/// ```
/// use oauth_marathon::store::{KeyringStore, MemoryStore, Record, Store, StoreKey};
/// use oauth_marathon::{BoxError, Credential, Generation, Secret};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// # let file = MemoryStore::new();
/// // Called on a thread of its own, and again after a failure.
/// let store = KeyringStore::new(file, || Ok(keyring_core::mock::Store::new()?))?;
/// let key = StoreKey::new("openai", "work");
/// let record = Record::new(Credential::new("work", Secret::new("sk-1")), Generation::new(1));
/// store.compare_and_set(&key, None, Some(record.clone())).await?;
/// assert_eq!(store.load(&key).await?.unwrap().record, record);
/// # Ok(()) }
/// ```
pub struct KeyringStore<S>(Arc<Inner<S>>);

struct Inner<S> {
    records: S,
    vault: Vault,
    /// The secrets of the keyring's entries, by name. An entry is never written twice, so they cannot be out of date.
    known: Mutex<HashMap<String, Secrets>>,
    /// The families of entries that this process has already searched for entries of dead processes.
    swept: Mutex<HashSet<String>>,
}

impl<S: Store> KeyringStore<S> {
    /// Makes a store over `records`, which keeps all but the secrets. `open` opens the keyring, on a thread of its own.
    ///
    /// # Errors
    ///
    /// If that thread cannot be started. The keyring itself is opened when it is first needed.
    pub fn new(
        records: S,
        open: impl Fn() -> keyring_core::Result<Arc<CredentialStore>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            records,
            vault: Vault::new(open)?,
            known: Mutex::default(),
            swept: Mutex::default(),
        })))
    }

    /// The store that keeps all but the secrets.
    #[must_use]
    pub fn records(&self) -> &S {
        &self.0.records
    }
}

impl<S: Store> Store for KeyringStore<S> {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        match self.0.records.load(key).await? {
            Some(found) => self.0.whole(key, found).await,
            None => Ok(None),
        }
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let inner = &*self.0;
        let held = inner.records.load(key).await?;
        if held.as_ref().map(|held| held.revision) != expected {
            return Ok(CasOutcome::Conflict(self.load(key).await?));
        }
        let before = held.as_ref().and_then(|held| secrets::name_of(&held.record)).map(str::to_owned);
        let Some(record) = next else {
            let outcome = inner.records.compare_and_set(key, expected, None).await?;
            return inner.ended(key, outcome, None, (None, before)).await;
        };
        let secrets = secrets::of(&record);
        // A change without a new secret, such as one of health, does not touch the keyring.
        let stays = before.clone().filter(|name| inner.known(name).is_some_and(|known| known == secrets));
        let name = match &stays {
            Some(name) => name.clone(),
            None => {
                let name = secrets::new_name(key, before.as_deref());
                inner.vault.write(name.clone(), secrets.clone()).await?;
                inner.learn(key, &name, secrets.clone());
                name
            }
        };
        let left = match &stays {
            Some(name) => inner.left_behind(key, name).await,
            None => Vec::new(),
        };
        // After a failure it is unknown which of the two entries the record names, so both stay.
        let outcome = inner.records.compare_and_set(key, expected, Some(secrets::taken_out(record, &name))).await?;
        if matches!(outcome, CasOutcome::Stored(_)) {
            for unused in left {
                inner.vault.remove(unused).await;
            }
        }
        let names = if stays.is_some() { (None, None) } else { (Some(name), before) };
        inner.ended(key, outcome, Some(secrets), names).await
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        let mut entries = Vec::new();
        for found in self.0.records.load_all(provider).await? {
            let key = StoreKey::new(provider, found.record.credential.id.clone());
            entries.extend(self.0.whole(&key, found).await?);
        }
        Ok(entries)
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        self.0.records.providers().await
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        self.0.records.set_order(provider, order).await
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        self.0.records.lease(key, patience).await
    }

    fn watch(&self) -> Changes {
        self.0.records.watch()
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        self.0.records.note_health(key, generation, change);
    }

    async fn flush(&self) -> Result<(), BoxError> {
        self.0.records.flush().await
    }
}

impl<S: Store> Inner<S> {
    /// The record with its secrets; `None` if it has been removed meanwhile.
    async fn whole(&self, key: &StoreKey, mut found: Entry) -> Result<Option<Entry>, BoxError> {
        for _ in 0..TRIES {
            let Some(name) = secrets::name_of(&found.record).map(str::to_owned) else { return Ok(Some(found)) };
            let secrets = match self.known(&name) {
                Some(secrets) => Some(secrets),
                None => self.vault.read(name.clone()).await?,
            };
            if let Some(secrets) = secrets {
                let revision = found.revision;
                let whole = secrets::put_in(found.record, &secrets).ok_or_else(|| unusable(key))?;
                self.learn(key, &name, secrets);
                return Ok(Some(Entry::new(whole, revision)));
            }
            // A process that replaces the secrets removes the old entry, so the record names another one by now.
            let revision = found.revision;
            match self.records.load(key).await? {
                Some(again) if again.revision == revision => return Err(gone(key).into()),
                Some(again) => found = again,
                None => return Ok(None),
            }
        }
        Err(Error::new(ErrorKind::Store, format!("the secrets of {key} change all the time")).into())
    }

    /// The names of entries beside `name` whose processes died before a record named them. They are searched for once,
    /// by a change that leaves the secrets alone, so that no new token waits for it.
    ///
    /// The writer of such an entry expects the record as it was before this change. So once the change is stored, no
    /// record can ever name one of them.
    async fn left_behind(&self, key: &StoreKey, name: &str) -> Vec<String> {
        let Some(family) = secrets::family_of(key, name) else { return Vec::new() };
        if !self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(family.to_owned()) {
            return Vec::new();
        }
        let mut found = self.vault.names(family.to_owned()).await.unwrap_or_else(|error| {
            tracing::debug!(target: "oauth_marathon", %key, %error, "the keyring could not be searched for unused entries");
            Vec::new()
        });
        found.retain(|other| other != name);
        found
    }

    /// Ends a change: removes the entry that the record does not name, the new one or the old one, and returns the
    /// outcome with the secrets in it.
    async fn ended(
        &self,
        key: &StoreKey,
        outcome: CasOutcome,
        written: Option<Secrets>,
        (new, old): (Option<String>, Option<String>),
    ) -> Result<CasOutcome, BoxError> {
        let is_done = !matches!(outcome, CasOutcome::Conflict(_));
        if let Some(unused) = if is_done { old } else { new } {
            self.forget(&unused);
            self.vault.remove(unused).await;
        }
        Ok(match outcome {
            CasOutcome::Stored(entry) => {
                let Entry { record, revision } = entry;
                let whole = written.and_then(|written| secrets::put_in(record, &written));
                CasOutcome::Stored(Entry::new(whole.ok_or_else(|| unusable(key))?, revision))
            }
            CasOutcome::Conflict(Some(found)) => CasOutcome::Conflict(self.whole(key, found).await?),
            other => other,
        })
    }

    fn known(&self, name: &str) -> Option<Secrets> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn learn(&self, key: &StoreKey, name: &str, secrets: Secrets) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(name) {
            // The record may still name the entry before it, so the last two are kept.
            let prefix = secrets::prefix(key);
            if known.keys().filter(|other| other.starts_with(&prefix)).count() > 1 {
                known.retain(|other, _| !other.starts_with(&prefix));
            }
            known.insert(name.to_owned(), secrets);
        }
    }

    fn forget(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

fn gone(key: &StoreKey) -> Error {
    let message = format!("the keyring does not hold the secrets of {key}, which its record names; log in again");
    Error::new(ErrorKind::StoreCorrupt, message)
}

fn unusable(key: &StoreKey) -> Error {
    let message = format!("what the keyring holds for {key} does not fit its record; log in again");
    Error::new(ErrorKind::StoreCorrupt, message)
}

impl<S> Clone for KeyringStore<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for KeyringStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("records", &self.0.records).finish_non_exhaustive()
    }
}
