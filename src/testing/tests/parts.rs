//! Parts that break one rule each.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use crate::error::BoxError;
use crate::pool::{Candidate, Choice, Strategy};
use crate::store::{CasOutcome, MemoryStore, Store, StoreKey, StoredTokens};
use crate::token::Generation;

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
    IgnoresTheProvider,
    OverwritesAnything,
    RefusesAll,
    HidesTheConflict,
    ChecksThenWrites,
    DropsTheExpiry,
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

    async fn generation(&self, key: &StoreKey) -> Option<Generation> {
        Store::load(&self.entries, key).await.unwrap().map(|held| held.generation)
    }
}

impl Store for Broken {
    async fn load(&self, key: &StoreKey) -> Result<Option<StoredTokens>, BoxError> {
        match self.fault {
            Fault::Fails => Err("the disk is gone".into()),
            Fault::Forgets => Ok(None),
            _ => Store::load(&self.entries, &self.key(key)).await,
        }
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Generation>,
        mut next: StoredTokens,
    ) -> Result<CasOutcome, BoxError> {
        let key = self.key(key);
        if self.fault == Fault::Shows {
            self.shown.lock().unwrap().insert(key.clone(), next.tokens.access().expose().to_owned());
        }
        if self.fault == Fault::DropsTheExpiry && next.tokens.expiry().is_some() {
            let refresh = next.tokens.refresh().cloned();
            next.tokens = crate::token::TokenSet::new(next.tokens.access().clone());
            next.tokens = refresh.into_iter().fold(next.tokens, |tokens, refresh| tokens.with_refresh(refresh));
        }
        match self.fault {
            Fault::RefusesAll => Ok(CasOutcome::Conflict(Store::load(&self.entries, &key).await?)),
            Fault::OverwritesAnything => {
                let held = self.generation(&key).await;
                Store::compare_and_set(&self.entries, &key, held, next).await
            }
            Fault::ChecksThenWrites if self.generation(&key).await == expected => {
                tokio::task::yield_now().await;
                let held = self.generation(&key).await;
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
    async fn load(&self, key: &StoreKey) -> Result<Option<StoredTokens>, BoxError> {
        Store::load(&*self.0, key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Generation>,
        next: StoredTokens,
    ) -> Result<CasOutcome, BoxError> {
        Store::compare_and_set(&*self.0, key, expected, next).await
    }
}
