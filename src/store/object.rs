//! [`Store`] as a trait object.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{CasOutcome, Changes, Entry, HealthChange, Record, Revision, Store, StoreKey, StoreLease};
use crate::credentials::{CredentialId, Generation};
use crate::error::BoxError;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// [`Store`] as a trait object, which the pool keeps in an `Arc`.
#[allow(dead_code, reason = "the pool does not use all of a store")]
pub(crate) trait DynStore: Send + Sync {
    fn load<'a>(&'a self, key: &'a StoreKey) -> BoxFuture<'a, Option<Entry>>;

    fn compare_and_set<'a>(
        &'a self,
        key: &'a StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> BoxFuture<'a, CasOutcome>;

    fn load_all<'a>(&'a self, provider: &'a str) -> BoxFuture<'a, Vec<Entry>>;

    fn providers(&self) -> BoxFuture<'_, Vec<String>>;

    fn set_order<'a>(&'a self, provider: &'a str, order: &'a [CredentialId]) -> BoxFuture<'a, ()>;

    fn lease<'a>(&'a self, key: &'a StoreKey, patience: Duration) -> BoxFuture<'a, Option<StoreLease>>;

    fn watch(&self) -> Changes;

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange);

    fn flush(&self) -> BoxFuture<'_, ()>;
}

impl<T: Store> DynStore for T {
    fn load<'a>(&'a self, key: &'a StoreKey) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(Store::load(self, key))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> BoxFuture<'a, CasOutcome> {
        Box::pin(Store::compare_and_set(self, key, expected, next))
    }

    fn load_all<'a>(&'a self, provider: &'a str) -> BoxFuture<'a, Vec<Entry>> {
        Box::pin(Store::load_all(self, provider))
    }

    fn providers(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(Store::providers(self))
    }

    fn set_order<'a>(&'a self, provider: &'a str, order: &'a [CredentialId]) -> BoxFuture<'a, ()> {
        Box::pin(Store::set_order(self, provider, order))
    }

    fn lease<'a>(&'a self, key: &'a StoreKey, patience: Duration) -> BoxFuture<'a, Option<StoreLease>> {
        Box::pin(Store::lease(self, key, patience))
    }

    fn watch(&self) -> Changes {
        Store::watch(self)
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        Store::note_health(self, key, generation, change);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(Store::flush(self))
    }
}
