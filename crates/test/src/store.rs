//! A store that fails by script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth_marathon::store::{
    CasOutcome, Changes, Entry, HealthChange, MemoryStore, Record, Revision, Store, StoreKey, StoreLease,
};
use oauth_marathon::{BoxError, CredentialId, Generation};

/// A store in memory that fails, hangs, or lets another process be quicker, by script. Clones share it.
///
/// ```
/// use oauth_marathon_test::{ScriptedStore, StoreCall};
/// use oauth_marathon::{Credential, ErrorKind, Pool, Secret};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let store = ScriptedStore::new();
/// let pool = Pool::builder("openai").origin("https://api.example.com").store(store.clone()).open().await?;
/// store.set_unwritable(true);
/// pool.add(Credential::new("work", Secret::new("t-work")))?;
/// assert_eq!(pool.flush().await.map_err(|error| error.kind()), Err(ErrorKind::Store));
/// assert!(pool.snapshot().credential("work").is_some(), "it goes on from memory");
/// assert!(store.take_calls().contains(&StoreCall::Save));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScriptedStore(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    memory: MemoryStore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    unreadable: bool,
    unwritable: bool,
    notes_panic: bool,
    notes: usize,
    saves: VecDeque<Save>,
    calls: Vec<StoreCall>,
}

/// The outcome of one save of a [`ScriptedStore`].
///
/// ```
/// use oauth_marathon_test::{Save, ScriptedStore};
///
/// // A refresh is noted, and its new token cannot be stored at first.
/// let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
/// # let _ = store;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Save {
    /// The record is stored.
    Works,
    /// The record is not stored, and the save is an error.
    Fails,
    /// The record is stored, and the save is an error nevertheless: its answer was lost.
    WorksAndFails,
    /// The record is stored, and the save returns after this time on tokio's clock.
    Late(Duration),
    /// The save never returns.
    Hangs,
    /// Another process stores this record just before, so that the save meets a conflict.
    After(Box<Record>),
    /// Another process removes the record just before.
    AfterRemoval,
}

/// A call to a [`ScriptedStore`], as [`ScriptedStore::take_calls`] reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreCall {
    /// [`Store::lease`].
    Lease,
    /// [`Store::load`].
    Load,
    /// [`Store::compare_and_set`] of a record with an intent: a refresh begins.
    Intent,
    /// [`Store::compare_and_set`] of a record without an intent, or of none.
    Save,
}

impl ScriptedStore {
    /// An empty store in which everything works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds outcomes to the script of saves. Saves after the script work.
    #[must_use]
    pub fn saves(self, saves: impl IntoIterator<Item = Save>) -> Self {
        self.state().saves.extend(saves);
        self
    }

    /// Lets every note about health panic.
    #[must_use]
    pub fn panicking_over_notes(self) -> Self {
        self.state().notes_panic = true;
        self
    }

    /// Sets whether every read is an error from now on.
    pub fn set_unreadable(&self, unreadable: bool) {
        self.state().unreadable = unreadable;
    }

    /// Sets whether every save is an error from now on.
    pub fn set_unwritable(&self, unwritable: bool) {
        self.state().unwritable = unwritable;
    }

    /// The store below the script, in which everything works: as another process without troubles sees it.
    #[must_use]
    pub fn memory(&self) -> &MemoryStore {
        &self.0.memory
    }

    /// The calls since this method was called last, in order. Lists, orders and notes are left out.
    #[must_use]
    pub fn take_calls(&self) -> Vec<StoreCall> {
        std::mem::take(&mut self.state().calls)
    }

    /// How many notes about health the store was given.
    #[must_use]
    pub fn notes(&self) -> usize {
        self.state().notes
    }

    /// How many clones exist, this one included. It shows whether a pool that is gone has left a clone behind.
    #[must_use]
    pub fn clones(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<&MemoryStore, BoxError> {
        if self.state().unreadable { Err("scripted: the store cannot be read".into()) } else { Ok(&self.0.memory) }
    }

    fn next_save(&self, call: StoreCall) -> Save {
        let mut state = self.state();
        state.calls.push(call);
        if state.unwritable { Save::Fails } else { state.saves.pop_front().unwrap_or(Save::Works) }
    }
}

impl Store for ScriptedStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.state().calls.push(StoreCall::Load);
        self.read()?.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let begins = next.as_ref().is_some_and(|next| next.intent.is_some());
        let failed = || Err("scripted: the store cannot be written".into());
        match self.next_save(if begins { StoreCall::Intent } else { StoreCall::Save }) {
            Save::Works => {}
            Save::Fails => return failed(),
            Save::WorksAndFails => {
                let _ = self.0.memory.compare_and_set(key, expected, next).await?;
                return failed();
            }
            Save::Late(time) => {
                let stored = self.0.memory.compare_and_set(key, expected, next).await;
                tokio::time::sleep(time).await;
                return stored;
            }
            Save::Hangs => std::future::pending().await,
            Save::After(theirs) => {
                let _ = self.0.memory.compare_and_set(key, expected, Some(*theirs)).await?;
            }
            Save::AfterRemoval => {
                let _ = self.0.memory.compare_and_set(key, expected, None).await?;
            }
        }
        self.0.memory.compare_and_set(key, expected, next).await
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        self.read()?.load_all(provider).await
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        self.read()?.providers().await
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        self.0.memory.set_order(provider, order).await
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        self.state().calls.push(StoreCall::Lease);
        self.0.memory.lease(key, patience).await
    }

    fn watch(&self) -> Changes {
        self.0.memory.watch()
    }

    #[allow(clippy::panic, reason = "the script asks for it")]
    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        let panics = {
            let mut state = self.state();
            state.notes += 1;
            state.notes_panic
        };
        if panics {
            panic!("scripted: the store panics");
        }
        self.0.memory.note_health(key, generation, change);
    }
}
