//! Builds a pool. `build` reports what is wrong with a part, with the place and the remedy.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;

use super::handle::{Inner, Pool};
use super::prepared::Active;
use super::selection::{Selection, Strategy};
use super::state::State;
use crate::clock::{SystemClock, WallClock};
use crate::config::Settings;
use crate::credentials::Credential;
use crate::credentials::origin::{Origin, Shown};
use crate::error::Error;
use crate::events::{Notifier, Notifiers};
use crate::providers::model::{ModelSource, Models};
use crate::store::{DynStore, MemoryStore, Store};
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{ArcSwap, AsyncMutex, Mutex, Notify, watch};
use crate::tokens::refresh::{DynTokenSource, TokenSource};

impl Pool {
    /// Begins a pool for a provider, such as `openai`.
    pub fn builder(provider: impl Into<Arc<str>>) -> PoolBuilder {
        PoolBuilder::new(provider.into())
    }
}

/// Builds a [`Pool`].
#[must_use = "nothing exists before build"]
pub struct PoolBuilder {
    provider: Arc<str>,
    settings: Settings,
    origins: Vec<String>,
    credentials: Vec<Credential>,
    source: Option<Arc<dyn DynTokenSource>>,
    store: Option<Arc<dyn DynStore>>,
    strategy: Option<Box<dyn Strategy>>,
    models: Option<Box<dyn ModelSource>>,
    events: Notifiers,
    /// The first notifier that could not be added.
    failed_notifier: Option<Error>,
    wall: Arc<dyn WallClock>,
}

impl PoolBuilder {
    pub(super) fn new(provider: Arc<str>) -> Self {
        Self {
            provider,
            settings: Settings::default(),
            origins: Vec::new(),
            credentials: Vec::new(),
            source: None,
            store: None,
            strategy: None,
            models: None,
            events: Notifiers::new(),
            failed_notifier: None,
            wall: Arc::new(SystemClock),
        }
    }

    /// Adds an origin that the credentials may be sent to, such as `https://api.example.com`. At least one is needed.
    /// Plain `http` is for this machine's own addresses.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Adds a credential at the back of the order. The first one is used until it fails.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// Adds several credentials in their order.
    pub fn credentials(mut self, credentials: impl IntoIterator<Item = Credential>) -> Self {
        self.credentials.extend(credentials);
        self
    }

    /// Sets how tokens are refreshed. Without a source, they are used until the provider refuses them.
    ///
    /// A refresh runs on the tokio runtime of the request that begins it. Requests on other runtimes wait for it there, so
    /// that runtime has to go on running.
    pub fn token_source(mut self, source: impl TokenSource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Sets where refreshed tokens are kept. In memory by default.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Adds a notifier, which gets the pool's events. Each runs on a thread of its own, so that a slow one delays nothing else.
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        if let Err(error) = self.events.add(notifier) {
            self.failed_notifier
                .get_or_insert(Error::config("the thread of a notifier could not be started").with_source(error));
        }
        self
    }

    /// Sets a strategy of your own, which chooses among the ready credentials instead of the setting `strategy`.
    pub fn strategy(mut self, strategy: impl Strategy) -> Self {
        self.strategy = Some(Box::new(strategy));
        self
    }

    /// Sets a source that names the model of a request. It comes before the [standard](crate::providers::model::StandardModelSource) source.
    pub fn model_source(mut self, source: impl ModelSource) -> Self {
        self.models = Some(Box::new(source));
        self
    }

    /// Sets all settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the clock by which dates and token expiries are read.
    pub fn clock(mut self, clock: impl WallClock) -> Self {
        self.wall = Arc::new(clock);
        self
    }

    /// Builds the pool of the credentials that were added here. It may be empty: credentials can be [added](Pool::add) later.
    ///
    /// A [store](PoolBuilder::store) takes the tokens that this pool refreshes, and gives those that other processes have
    /// refreshed. To keep all of a pool in its store, [open](PoolBuilder::open) it.
    ///
    /// # Errors
    /// If an origin, a credential, the token source or a setting is malformed, an id is given twice, there is no origin, or
    /// the thread of a notifier could not be started.
    pub fn build(self) -> Result<Pool, Error> {
        let (pool, credentials) = self.assemble(false)?;
        pool.fill(credentials)?;
        Ok(pool)
    }

    /// Builds the pool, and returns the credentials that are still to be added. With `follows`, the pool's credentials
    /// are those of its store, and follow every change there.
    pub(super) fn assemble(self, follows: bool) -> Result<(Pool, Vec<Credential>), Error> {
        if let Some(error) = self.failed_notifier {
            return Err(error);
        }
        self.settings.validate()?;
        if let Some(source) = &self.source {
            source.check()?;
        }
        if self.origins.is_empty() {
            let message = format!(
                "the pool of {:?} has no origin; name where its credentials may be sent with PoolBuilder::origin",
                self.provider
            );
            return Err(Error::config(message));
        }
        let place = format!("origin of {:?}", self.provider);
        let origins = self.origins.iter().map(|origin| Origin::parse(&place, origin)).collect::<Result<_, _>>()?;
        let pool = Pool(Arc::new(Inner {
            provider: self.provider,
            selection: Selection::new(self.settings.strategy, self.strategy),
            settings: self.settings,
            origins,
            active: Active::default(),
            changes: AtomicU64::new(0),
            header_names: ArcSwap::from_pointee(vec![AUTHORIZATION]),
            has_other_headers: AtomicBool::new(false),
            state: Mutex::new(State::default()),
            source: self.source,
            store: self.store.unwrap_or_else(|| Arc::new(MemoryStore::new())),
            events: self.events,
            models: Models::new(self.models),
            wall: self.wall,
            follows,
            refreshing: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            outgoing: Arc::new(Notify::new()),
            writing: AsyncMutex::new(()),
            budget: Arc::default(),
            rescheduled: Arc::new(Notify::new()),
        }));
        Ok((pool, self.credentials))
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("provider", &self.provider)
            .field("origins", &self.origins.iter().map(|origin| Shown(origin)).collect::<Vec<_>>())
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
