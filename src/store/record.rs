//! The record: what a store holds for one credential.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::health::Health;
use crate::credentials::{Credential, CredentialId, Generation};

/// Names one record: the ids of its provider and its credential.
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

/// All that is kept of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The credential: its id, label and subject, its secret, and how the secret is sent.
    pub credential: Credential,
    /// The generation of its secret. It rises with every new secret, and never goes back.
    pub generation: Generation,
    /// Its health: what keeps it from being used.
    pub health: Health,
    /// The intent of a refresh that has begun, and whose end is not known.
    pub intent: Option<Intent>,
}

impl Record {
    /// A record of a credential in good health, without an intent.
    #[must_use]
    pub fn new(credential: Credential, generation: Generation) -> Self {
        Self { credential, generation, health: Health::default(), intent: None }
    }
}

/// The mark of a refresh that has begun. If the holder of the store lease finds one, another process has died, or has
/// lost its store or its lease, in the middle of a refresh: the refresh token may be spent, and the new one lost or on
/// its way. The holder waits until the mark is older than an exchange may take, and only then sends the refresh token
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intent {
    /// The generation that is being replaced. In a record of a later generation the mark has no meaning any more.
    pub generation: Generation,
    /// When the refresh began.
    pub began: SystemTime,
    /// The process that began it, for people: for example its id.
    pub process: String,
    /// Whether the exchange is over, so that no process has to wait for it. It is then unknown whether the refresh
    /// token is spent.
    pub ended: bool,
}

impl Intent {
    /// The mark of a refresh that this process begins `now`.
    #[must_use]
    pub fn new(generation: Generation, now: SystemTime) -> Self {
        Self { generation, began: now, process: std::process::id().to_string(), ended: false }
    }
}

/// A [`Record`] as a store holds it, with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// The revision that its next change has to name.
    pub revision: Revision,
}

impl Entry {
    /// A record of this revision.
    #[must_use]
    pub fn new(record: Record, revision: Revision) -> Self {
        Self { record, revision }
    }
}

/// The revision of a record: it tells one state of the record from every other. The store gives out a new number with
/// each change, and none twice for one key, not even after a removal. Only equality has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// A revision from the number that a store has kept.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The revision's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How [`Store::compare_and_set`](super::Store::compare_and_set) ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum CasOutcome {
    /// The record was as expected. This is the new one.
    Stored(Entry),
    /// The record was as expected, and has been removed.
    Removed,
    /// The record was another one, and is unchanged. This is what the store holds.
    Conflict(Option<Entry>),
}
