//! Where tokens are kept between refreshes: the [`Store`] trait, and the default that keeps them in memory.
//!
//! Before a refresh the pool loads what is stored, and adopts it instead of refreshing where it is of a later generation
//! than its own: another process was first. After the exchange it stores the new tokens with
//! [`Store::compare_and_set`], and only then are they used: a refresh token can often be spent only once, so its
//! successor must not be lost.

mod memory;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::memory::MemoryStore;
use crate::account::CredentialId;
use crate::error::BoxError;
use crate::token::{Generation, TokenSet};

/// Keeps the tokens of credentials, one entry for each [`StoreKey`].
///
/// ```
/// use oauth_marathon::TokenSet;
/// use oauth_marathon::store::{CasOutcome, MemoryStore, Store, StoreKey, StoredTokens};
/// use oauth_marathon::{BoxError, Generation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::new();
/// let key = StoreKey::new("openai", "work");
/// let first = StoredTokens::new(TokenSet::new("one"), Generation::new(1));
/// assert!(matches!(store.compare_and_set(&key, None, first.clone()).await?, CasOutcome::Stored));
/// // Whoever expects an empty entry now is told what it holds.
/// let outcome = store.compare_and_set(&key, None, first).await?;
/// assert!(matches!(outcome, CasOutcome::Conflict(Some(found)) if found.generation == Generation::new(1)));
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep tokens",
    label = "not a `Store`",
    note = "without one of your own the pool uses `oauth_marathon::store::MemoryStore`"
)]
pub trait Store: Send + Sync + 'static {
    /// What is stored under `key`.
    ///
    /// # Errors
    ///
    /// Whatever kept the store from being read. An entry that cannot be read is an error, never `None`.
    fn load(&self, key: &StoreKey) -> impl Future<Output = Result<Option<StoredTokens>, BoxError>> + Send;

    /// Stores `next` if the entry is still of generation `expected`, or is still absent where that is `None`; all in one
    /// step. The pool passes a `next` of a greater generation than `expected`.
    ///
    /// When it reports [`CasOutcome::Stored`], the tokens are as safe as this store can make them.
    ///
    /// # Errors
    ///
    /// Whatever kept the store from being written. The entry is then as it was, or is `next`: never part of each.
    fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Generation>,
        next: StoredTokens,
    ) -> impl Future<Output = Result<CasOutcome, BoxError>> + Send;
}

/// Whose tokens an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey {
    provider: Arc<str>,
    credential: CredentialId,
}

impl StoreKey {
    /// The key of one credential of one provider.
    pub fn new(provider: impl Into<Arc<str>>, credential: impl Into<CredentialId>) -> Self {
        Self { provider: provider.into(), credential: credential.into() }
    }

    /// The id of the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The id of the credential.
    #[must_use]
    pub fn credential(&self) -> &CredentialId {
        &self.credential
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.credential)
    }
}

/// An entry of a [`Store`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredTokens {
    /// The tokens.
    pub tokens: TokenSet,
    /// Which change of the credential's tokens they came with.
    pub generation: Generation,
}

impl StoredTokens {
    /// An entry of these tokens.
    #[must_use]
    pub fn new(tokens: TokenSet, generation: Generation) -> Self {
        Self { tokens, generation }
    }
}

/// How [`Store::compare_and_set`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum CasOutcome {
    /// The entry was as expected, and is the new one now.
    Stored,
    /// The entry was another one, and is unchanged: this is what it holds.
    Conflict(Option<StoredTokens>),
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Store`] as the pool keeps it, in an `Arc<dyn _>`.
pub(crate) trait DynStore: Send + Sync {
    fn load<'a>(&'a self, key: &'a StoreKey) -> BoxFuture<'a, Result<Option<StoredTokens>, BoxError>>;

    fn compare_and_set<'a>(
        &'a self,
        key: &'a StoreKey,
        expected: Option<Generation>,
        next: StoredTokens,
    ) -> BoxFuture<'a, Result<CasOutcome, BoxError>>;
}

impl<T: Store> DynStore for T {
    fn load<'a>(&'a self, key: &'a StoreKey) -> BoxFuture<'a, Result<Option<StoredTokens>, BoxError>> {
        Box::pin(Store::load(self, key))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a StoreKey,
        expected: Option<Generation>,
        next: StoredTokens,
    ) -> BoxFuture<'a, Result<CasOutcome, BoxError>> {
        Box::pin(Store::compare_and_set(self, key, expected, next))
    }
}
