//! A store in memory that fails, or finds that others were quicker, when it is told to.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oauth_marathon::BoxError;
use oauth_marathon::store::{
    CasOutcome, Changes, Entry, HealthChange, MemoryStore, Record, Revision, Store, StoreKey, StoreLease,
};
use oauth_marathon::{CredentialId, Generation};

/// What becomes of one save.
#[derive(Debug, Clone)]
pub(crate) enum Save {
    Works,
    Fails,
    /// It is stored, and fails nevertheless.
    WorksAndFails,
    /// Others store this just before.
    After(Box<Record>),
    /// Others remove the record just before.
    AfterRemoval,
    /// It is never answered.
    Hangs,
}

/// What is asked of the store, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Lease,
    Load,
    /// With an intent.
    Begin,
    Save,
    Sent,
}

#[derive(Clone, Default)]
pub(crate) struct ScriptedStore {
    pub(crate) inner: MemoryStore,
    script: Arc<Mutex<Script>>,
    pub(crate) log: Arc<Mutex<Vec<Call>>>,
}

#[derive(Default)]
struct Script {
    unreadable: bool,
    unwritable: bool,
    saves: VecDeque<Save>,
}

impl ScriptedStore {
    /// What becomes of the next saves; those after them work.
    pub(crate) fn saves(self, saves: impl IntoIterator<Item = Save>) -> Self {
        self.script.lock().unwrap().saves = saves.into_iter().collect();
        self
    }

    pub(crate) fn set_unreadable(&self, unreadable: bool) {
        self.script.lock().unwrap().unreadable = unreadable;
    }

    pub(crate) fn set_unwritable(&self, unwritable: bool) {
        self.script.lock().unwrap().unwritable = unwritable;
    }

    /// What has been asked of it since this was asked the last time.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, call: Call) {
        self.log.lock().unwrap().push(call);
    }
}

impl Store for ScriptedStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.note(Call::Load);
        if self.script.lock().unwrap().unreadable {
            return Err("the disk is gone".into());
        }
        self.inner.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let begins = next.as_ref().is_some_and(|next| next.intent.is_some());
        self.note(if begins { Call::Begin } else { Call::Save });
        let save = {
            let mut script = self.script.lock().unwrap();
            if script.unwritable { Save::Fails } else { script.saves.pop_front().unwrap_or(Save::Works) }
        };
        let full = || Err("the disk is full".into());
        match save {
            Save::Works => {}
            Save::Fails => return full(),
            Save::WorksAndFails => {
                let _ = self.inner.compare_and_set(key, expected, next).await?;
                return full();
            }
            Save::After(theirs) => {
                let _ = self.inner.compare_and_set(key, expected, Some(*theirs)).await?;
            }
            Save::AfterRemoval => {
                let _ = self.inner.compare_and_set(key, expected, None).await?;
            }
            Save::Hangs => std::future::pending().await,
        }
        self.inner.compare_and_set(key, expected, next).await
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        if self.script.lock().unwrap().unreadable {
            return Err("the disk is gone".into());
        }
        self.inner.load_all(provider).await
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        self.inner.set_order(provider, order).await
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        self.note(Call::Lease);
        self.inner.lease(key, patience).await
    }

    fn watch(&self) -> Changes {
        self.inner.watch()
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        self.inner.note_health(key, generation, change);
    }
}
