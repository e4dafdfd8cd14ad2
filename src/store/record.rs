//! What a store holds for one credential.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::health::Health;
use crate::credentials::Generation;
use crate::credentials::{Credential, CredentialId};

/// Which record is meant.
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
    /// The credential: its id, label and subject, its secret, and how that is sent.
    pub credential: Credential,
    /// Which change of the credential this is. It rises with every new secret, and never goes back.
    pub generation: Generation,
    /// What keeps it from being used.
    pub health: Health,
    /// A refresh that has begun and of which no end is stored.
    pub intent: Option<Intent>,
}

impl Record {
    /// A record of a credential in good health.
    #[must_use]
    pub fn new(credential: Credential, generation: Generation) -> Self {
        Self { credential, generation, health: Health::default(), intent: None }
    }
}

/// The mark of a refresh that has begun. Found by somebody who holds the lease, it means that the process died, or lost
/// its store or its lease, in the middle of a refresh: the refresh token may be spent, and its successor lost or on its way.
/// A process that finds it waits until the mark is older than an exchange may take, and only then sends the refresh
/// token again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intent {
    /// The generation that is being replaced. A record of a later one has left this refresh behind.
    pub generation: Generation,
    /// When the refresh began.
    pub began: SystemTime,
    /// Who began it, for people: such as the id of the process.
    pub process: String,
    /// Whether the exchange is over without showing if the refresh token is spent. Other processes need not wait for
    /// it.
    pub ended: bool,
}

impl Intent {
    /// The mark of a refresh that this process begins `now`.
    #[must_use]
    pub fn new(generation: Generation, now: SystemTime) -> Self {
        Self { generation, began: now, process: std::process::id().to_string(), ended: false }
    }
}

/// A [`Record`] as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// What its next change has to name.
    pub revision: Revision,
}

impl Entry {
    /// A record of this revision.
    #[must_use]
    pub fn new(record: Record, revision: Revision) -> Self {
        Self { record, revision }
    }
}

/// Tells one state of a record from every other that it has had: the store gives out another number with each change,
/// and none twice for one key, also not after a removal. Only equality means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// A revision as a store has kept it.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
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
    /// The record was as expected, and is this one now.
    Stored(Entry),
    /// The record was as expected, and is gone.
    Removed,
    /// The record was another one, and is unchanged: this is what is held.
    Conflict(Option<Entry>),
}
