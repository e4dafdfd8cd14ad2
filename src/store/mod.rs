//! Where credentials are kept: the [`Store`] trait, and the stores that come with the crate.
//!
//! A store keeps one [`Record`] for each credential: its tokens and how they are sent, its generation, its health, and
//! whether a refresh of it has begun. A store knows no pool and no provider, and decides nothing about a credential. It
//! is more than load and save, because several processes may share it, and because a process may die in the middle of a
//! refresh. This is what those processes need:
//!
//! | need | method |
//! |---|---|
//! | change a record only if no other process has | [`compare_and_set`](Store::compare_and_set), by the record's [`Revision`] |
//! | one refresh at a time over all processes | [`lease`](Store::lease) |
//! | a mark that outlives a crash in the middle of a refresh | [`Record::intent`] |
//! | cooldowns that others see, off the path of a request | [`note_health`](Store::note_health) |
//! | learn of others' changes | [`watch`](Store::watch) |
//!
//! [`Record::to_text`] is a text of one record, for stores that keep texts.
//!
//! A refresh across processes takes the lease, loads the record, and adopts it if its generation is later than its own.
//! Otherwise it sets the record with an [`Intent`], exchanges the refresh token, sets the record with the new tokens
//! and without the intent, and only then uses them. A refresh token can often be spent only once, so the new one must
//! not be lost.
//!
//! The lease alone does not exclude a second exchange, because it can be lost without an error. So a process that finds
//! an intent of the present generation that has not [`ended`](Intent::ended) waits until the intent is older than an
//! exchange may take. It reads the record again meanwhile, and only then begins an exchange. A store that can run out
//! of room reserves the room for the end of a refresh together with its intent.

mod all_records;
mod changes;
#[cfg(feature = "file-store")]
mod content;
#[cfg(feature = "file-store")]
mod file;
mod format;
mod health;
#[cfg(feature = "keyring")]
mod keyring;
mod lease;
mod memory;
mod object;
mod record;
mod text;

use std::future::Future;
use std::time::Duration;

pub use self::changes::{ChangeNotifier, Changes};
#[cfg(feature = "file-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "file-store")))]
pub use self::content::StoreContent;
#[cfg(feature = "file-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "file-store")))]
pub use self::file::FileStore;
pub use self::health::{Cooldown, Health, HealthChange, LastStatus};
#[cfg(feature = "keyring")]
#[cfg_attr(docsrs, doc(cfg(feature = "keyring")))]
pub use self::keyring::KeyringStore;
pub use self::lease::StoreLease;
pub use self::memory::MemoryStore;
pub(crate) use self::object::DynStore;
pub use self::record::{CasOutcome, Entry, Intent, Record, Revision, StoreKey};
use crate::credentials::{CredentialId, Generation};
use crate::error::{BoxError, Error, ErrorKind};

/// Keeps credentials, one [`Record`] for each [`StoreKey`].
///
/// [`load`](Store::load) and [`compare_and_set`](Store::compare_and_set) are all that a store must have. Each other
/// method has a default, for a store that cannot do it.
///
/// ```
/// use oauth_marathon::store::{CasOutcome, MemoryStore, Record, Store, StoreKey};
/// use oauth_marathon::{BoxError, Credential, Generation, TokenSet};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::new();
/// let key = StoreKey::new("openai", "work");
/// let first = Record::new(Credential::new("work", TokenSet::new("one")), Generation::new(1));
/// assert!(matches!(store.compare_and_set(&key, None, Some(first.clone())).await?, CasOutcome::Stored(_)));
/// // If the record is expected to be absent and is not, the answer holds it.
/// let outcome = store.compare_and_set(&key, None, Some(first)).await?;
/// let CasOutcome::Conflict(Some(found)) = outcome else { unreachable!() };
/// // A removal names what it removes, too.
/// assert!(matches!(store.compare_and_set(&key, Some(found.revision), None).await?, CasOutcome::Removed));
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep credentials",
    label = "not a `Store`",
    note = "without one of your own the pool uses `oauth_marathon::store::MemoryStore`"
)]
pub trait Store: Send + Sync + 'static {
    /// Loads the record under `key`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the store could not be read. A record that cannot be read is an error, never `None`.
    fn load(&self, key: &StoreKey) -> impl Future<Output = Result<Option<Entry>, BoxError>> + Send;

    /// Stores `next` in one step if the record is still of the revision `expected`, or, if that is `None`, still
    /// absent. A `next` of `None` removes the record.
    ///
    /// When it reports [`CasOutcome::Stored`] or [`CasOutcome::Removed`], the change is as safe as this store can make
    /// it, and every later `load`, in whatever process, sees it. The reported entry is the record as it is kept, with
    /// its new revision: times may be cut to the millisecond, and a credential that comes back after a removal gets a
    /// generation above all earlier ones, so that no late outcome counts for it.
    ///
    /// A future that is dropped before it is ready may still have stored `next`.
    ///
    /// # Errors
    ///
    /// If the store could not be written, if `next` is of a lower generation than the record that it replaces, or if
    /// its credential has another id than `key`. The record is then as it was, or is `next`: never part of each.
    fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> impl Future<Output = Result<CasOutcome, BoxError>> + Send;

    /// All records of a provider, in their order.
    ///
    /// # Errors
    ///
    /// If the store could not be read. The default is always an error, because it cannot list records.
    fn load_all(&self, provider: &str) -> impl Future<Output = Result<Vec<Entry>, BoxError>> + Send {
        let error = unsupported::<Self>(&format!("list the credentials of {provider:?}"));
        async { Err(error) }
    }

    /// The ids of the providers that have records, sorted.
    ///
    /// # Errors
    ///
    /// If the store could not be read. The default is always an error, because it cannot list records.
    fn providers(&self) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send {
        let error = unsupported::<Self>("list its providers");
        async { Err(error) }
    }

    /// Puts the credentials of a provider in this order. Credentials that it does not name follow in the order that they had;
    /// ids that the store does not hold, and repetitions, are ignored. A new record goes to the back. No revision changes.
    ///
    /// # Errors
    ///
    /// If the store could not be written. The default is always an error, because it keeps no order.
    fn set_order(&self, provider: &str, order: &[CredentialId]) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = order;
        let error = unsupported::<Self>(&format!("keep an order of the credentials of {provider:?}"));
        async { Err(error) }
    }

    /// Waits until the lease of this key is free, in this process and in all others, and takes it. `None` if it is not free
    /// within `patience`. The lease ends when it is dropped, and with the process. The record need not exist. The lease does
    /// not lock the record: it excludes only others that ask for it.
    ///
    /// By default the lease is granted at once and excludes no other ([`StoreLease::unshared`]), which is enough for a store
    /// that one pool alone uses.
    ///
    /// # Errors
    ///
    /// If the store cannot grant leases now.
    fn lease(
        &self,
        key: &StoreKey,
        patience: Duration,
    ) -> impl Future<Output = Result<Option<StoreLease>, BoxError>> + Send {
        let _ = (key, patience);
        async { Ok(Some(StoreLease::unshared())) }
    }

    /// Reports changes from now on, by other processes too. By default it never does.
    fn watch(&self) -> Changes {
        Changes::never()
    }

    /// Notes a change of a credential's health, for the record of this key if its generation is not later than
    /// `generation`. It returns at once, and touches no disk and no network: the store writes such notes soon and
    /// several at a time. Notes that are not written yet are lost with the process; [`Store::flush`] writes them. A
    /// note that changes a record changes its revision.
    ///
    /// By default nothing is kept: cooldowns end with the process.
    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        let _ = (key, generation, change);
    }

    /// Writes what [`Store::note_health`] has noted. [`Pool::shutdown`](crate::Pool::shutdown) calls it.
    ///
    /// # Errors
    ///
    /// If the store could not be written. The notes are kept for the next attempt.
    fn flush(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        async { Ok(()) }
    }
}

fn unsupported<S: ?Sized>(what: &str) -> BoxError {
    let store = std::any::type_name::<S>();
    let message = format!("{store} cannot {what}; use a store that implements the method of Store for it");
    Error::new(ErrorKind::StoreUnsupported, message).into()
}
