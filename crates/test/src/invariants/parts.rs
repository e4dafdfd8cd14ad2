//! The parts of a stack that a user brings to a check.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oauth_marathon::config::Settings;
use oauth_marathon::pool::{Candidate, Choice, PoolBuilder, Strategy};
use oauth_marathon::store::{
    CasOutcome, Changes, Entry, HealthChange, MemoryStore, Record, Revision, Store, StoreKey, StoreLease,
};
use oauth_marathon::verdict::{Answer, Classifier, Verdict};
use oauth_marathon::{BoxError, CredentialId, Generation};

/// Sets the store of a pool's builder.
type WithStore = dyn Fn(PoolBuilder) -> PoolBuilder + Send + Sync;

/// Your own parts, for [`check_pool_run`](super::check_pool_run). Parts that you do not set are the default ones.
///
/// ```
/// use oauth_marathon::verdict::classify_fn;
/// use oauth_marathon::config::Settings;
/// use oauth_marathon::store::MemoryStore;
/// use oauth_marathon_test::invariants::Parts;
/// use std::time::Duration;
///
/// let mut settings = Settings::default();
/// settings.rate_limit_cooldown = Duration::from_secs(5);
/// let parts = Parts::new().settings(settings).classifier(classify_fn(|_| None)).store(MemoryStore::new());
/// # let _ = parts;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Parts {
    pub(super) settings: Settings,
    pub(super) classifier: Option<Arc<dyn Classifier>>,
    pub(super) strategy: Option<Arc<dyn Strategy>>,
    pub(super) store: Arc<WithStore>,
}

impl Parts {
    /// Only default parts.
    pub fn new() -> Self {
        let parts =
            Self { settings: Settings::default(), classifier: None, strategy: None, store: Arc::new(|pool| pool) };
        parts.store(MemoryStore::new())
    }

    /// Uses these settings, except for `whenAllCooling`, which is `error` in the runs, and `maxAttempts` and
    /// `networkRetryAttempts`, which are drawn.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Uses your classifier, which is asked before the standard one.
    pub fn classifier(mut self, classifier: impl Classifier) -> Self {
        self.classifier = Some(Arc::new(classifier));
        self
    }

    /// Uses your strategy.
    pub fn strategy(mut self, strategy: impl Strategy) -> Self {
        self.strategy = Some(Arc::new(strategy));
        self
    }

    /// Uses your store, which should be empty.
    pub fn store(mut self, store: impl Store) -> Self {
        let store = Arc::new(store);
        self.store = Arc::new(move |pool| pool.store(Shared(store.clone())));
        self
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("settings", &self.settings)
            .field("classifier", &self.classifier.is_some())
            .field("strategy", &self.strategy.is_some())
            .finish_non_exhaustive()
    }
}

/// One part that many pools share.
pub(super) struct Shared<T: ?Sized>(pub(super) Arc<T>);

impl Classifier for Shared<dyn Classifier> {
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
        self.0.answer(answer)
    }

    fn error(&self, error: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
        self.0.error(error)
    }
}

impl Strategy for Shared<dyn Strategy> {
    fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        self.0.select(choice, ready)
    }
}

impl<S: Store> Store for Shared<S> {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        self.0.compare_and_set(key, expected, next).await
    }

    async fn load_all(&self, provider: &str) -> Result<Vec<Entry>, BoxError> {
        self.0.load_all(provider).await
    }

    async fn providers(&self) -> Result<Vec<String>, BoxError> {
        self.0.providers().await
    }

    async fn set_order(&self, provider: &str, order: &[CredentialId]) -> Result<(), BoxError> {
        self.0.set_order(provider, order).await
    }

    async fn lease(&self, key: &StoreKey, patience: Duration) -> Result<Option<StoreLease>, BoxError> {
        self.0.lease(key, patience).await
    }

    fn watch(&self) -> Changes {
        self.0.watch()
    }

    fn note_health(&self, key: &StoreKey, generation: Generation, change: HealthChange) {
        self.0.note_health(key, generation, change);
    }

    async fn flush(&self) -> Result<(), BoxError> {
        self.0.flush().await
    }
}
