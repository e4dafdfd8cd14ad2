//! Parts that break one rule each, for the tests of the checks.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use oauth_marathon::pool::{Candidate, Choice, Strategy};
use oauth_marathon::store::{CasOutcome, Entry, MemoryStore, Record, Revision, Store, StoreKey};
use oauth_marathon::{BoxError, Material, TokenSet};

/// Chooses by a function of the number of candidates.
pub(super) struct By<F>(pub(super) F);

impl<F: Fn(usize) -> Option<usize> + Send + Sync + 'static> Strategy for By<F> {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        (self.0)(ready.len())
    }
}

/// Each in turn.
#[derive(Default)]
pub(super) struct InTurn(AtomicUsize);

impl Strategy for InTurn {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        Some(self.0.fetch_add(1, Relaxed) % ready.len())
    }
}

pub(super) struct Conversations;

impl Strategy for Conversations {
    fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        Some(choice.group?.bytes().map(usize::from).sum::<usize>() % ready.len())
    }
}

/// How a [`Broken`] store goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    None,
    Forgets,
    KeepsNothing,
    IgnoresTheProvider,
    OverwritesAnything,
    RefusesAll,
    HidesTheConflict,
    ChecksThenWrites,
    DropsTheExpiry,
    DropsTheIntent,
    KeepsTheRemoved,
    Fails,
    Shows,
}

pub(super) struct Broken {
    fault: Fault,
    entries: MemoryStore,
    shown: Mutex<HashMap<StoreKey, String>>,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown.lock().unwrap())
    }
}

impl Broken {
    pub(super) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, entries: MemoryStore::new(), shown: Mutex::default() })
    }

    fn key(&self, key: &StoreKey) -> StoreKey {
        let provider = if self.fault == Fault::IgnoresTheProvider { "any" } else { key.provider() };
        StoreKey::new(provider, key.credential())
    }

    async fn revision(&self, key: &StoreKey) -> Option<Revision> {
        Store::load(&self.entries, key).await.unwrap().map(|held| held.revision)
    }
}

impl Store for Broken {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        match self.fault {
            Fault::Fails => Err("the disk is gone".into()),
            Fault::Forgets | Fault::KeepsNothing => Ok(None),
            _ => Store::load(&self.entries, &self.key(key)).await,
        }
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        mut next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let key = self.key(key);
        if let (Fault::Shows, Some(next)) = (self.fault, &next) {
            let secret = match next.credential.material() {
                Material::OAuth(tokens) => tokens.access(),
                Material::Key(key) => key,
                _ => unreachable!("a new kind of secret"),
            };
            self.shown.lock().unwrap().insert(key.clone(), secret.expose().to_owned());
        }
        if let (Fault::DropsTheExpiry, Some(next)) = (self.fault, &mut next)
            && let Material::OAuth(tokens) = next.credential.material()
        {
            let (access, refresh) = (tokens.access().clone(), tokens.refresh().cloned());
            let kept = refresh.into_iter().fold(TokenSet::new(access), |tokens, refresh| tokens.with_refresh(refresh));
            next.credential = next.credential.clone().with_material(kept);
        }
        if let (Fault::DropsTheIntent, Some(next)) = (self.fault, &mut next) {
            next.intent = None;
        }
        match self.fault {
            Fault::KeepsTheRemoved if next.is_none() && self.revision(&key).await == expected => {
                Ok(CasOutcome::Removed)
            }
            Fault::KeepsNothing => Store::compare_and_set(&MemoryStore::new(), &key, None, next).await,
            Fault::RefusesAll => Ok(CasOutcome::Conflict(Store::load(&self.entries, &key).await?)),
            Fault::OverwritesAnything => {
                let held = self.revision(&key).await;
                Store::compare_and_set(&self.entries, &key, held, next).await
            }
            Fault::ChecksThenWrites if self.revision(&key).await == expected => {
                tokio::task::yield_now().await;
                let held = self.revision(&key).await;
                Store::compare_and_set(&self.entries, &key, held, next).await
            }
            Fault::HidesTheConflict => match Store::compare_and_set(&self.entries, &key, expected, next).await? {
                CasOutcome::Conflict(_) => Ok(CasOutcome::Conflict(None)),
                stored => Ok(stored),
            },
            _ => Store::compare_and_set(&self.entries, &key, expected, next).await,
        }
    }
}

/// One store behind a handle that can be given away.
pub(super) struct Handed(pub(super) Arc<Broken>);

impl Store for Handed {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        Store::load(&*self.0, key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        Store::compare_and_set(&*self.0, key, expected, next).await
    }
}
