//! Opens a pool over its store: the store is read once, then followed, and every change of the pool is written back.

use std::sync::Arc;

use http::Request;
use tower_service::Service;

use super::pull::{Follower, LastRead};
use crate::config::ProviderOAuth;
use crate::credentials::{Credential, CredentialId, Generation};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::builder::PoolBuilder;
use crate::pool::handle::Pool;
use crate::store::{CasOutcome, Entry, Record, Store, StoreKey};
use crate::sync::Handle;
use crate::tokens::refresh::across::{STORE_LIMIT, limited};
use crate::tokens::refresh::{OAuth2, TokenSource};

impl Pool {
    /// Opens the pool of a provider over a store, with all that `provider.<id>.oauth` says: its settings, the origins
    /// that credentials may be sent to, and the OAuth server that refreshes them.
    ///
    /// This is the short way for [`Pool::builder`] with [`PoolBuilder::oauth`], [`PoolBuilder::store`] and
    /// [`PoolBuilder::open`]. `http` is the client that sends the refreshes. Notifiers can be added to
    /// [`Pool::notifiers`].
    ///
    /// ```
    /// use oauth_marathon::config::ProviderOAuth;
    /// use oauth_marathon::store::MemoryStore;
    /// use oauth_marathon::{Credential, Pool, Secret};
    /// # use http::{Request, Response};
    /// # use http_body_util::Full;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
    /// # let http = tower::service_fn(async |_: Request<Full<bytes::Bytes>>| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
    /// let store = MemoryStore::new();
    /// let oauth: ProviderOAuth = serde_json::from_str(r#"{ "origins": ["https://api.example.com"] }"#)?;
    /// let pool = Pool::open("openai", store.clone(), &oauth, http.clone()).await?;
    /// pool.add(Credential::new("work", Secret::new("sk-1")))?;
    /// // It is in the store, for the next start and for other processes.
    /// pool.flush().await?;
    /// let other = Pool::open("openai", store, &oauth, http).await?;
    /// assert_eq!(other.snapshot().credentials[0].id, "work");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The errors of [`PoolBuilder::oauth`] and [`PoolBuilder::open`].
    pub async fn open<C, B>(
        provider: impl Into<Arc<str>>,
        store: impl Store,
        oauth: &ProviderOAuth,
        http: C,
    ) -> Result<Self, Error>
    where
        C: Service<Request<B>>,
        OAuth2<C, B>: TokenSource,
    {
        Self::builder(provider).oauth(oauth, http)?.store(store).open().await
    }
}

impl PoolBuilder {
    /// Applies what `provider.<id>.oauth` says: the settings, the `origins`, and with `tokenUrl` and `clientId` the way
    /// to refresh tokens, over `http`. That is any client that [`OAuth2`] takes, such as a clone of the one below the
    /// layers. The client does not hear of `connectTimeoutMs`: make it with
    /// `HttpClient::with_connect_timeout(oauth.settings.connect_timeout)`.
    ///
    /// # Errors
    /// If a value is malformed; if it names an OAuth server and no `tokenUrl` or no `clientId`.
    pub fn oauth<C, B>(self, oauth: &ProviderOAuth, http: C) -> Result<Self, Error>
    where
        C: Service<Request<B>>,
        OAuth2<C, B>: TokenSource,
    {
        oauth.validate()?;
        let builder = oauth
            .server
            .origins
            .iter()
            .fold(self.settings(oauth.settings.clone()), |builder, origin| builder.origin(origin.as_str()));
        let server = &oauth.server;
        if server.token_url.is_none() && server.issuer.is_none() && server.client_id.is_none() {
            return Ok(builder);
        }
        Ok(builder.token_source(OAuth2::for_server(server, http)?.timeout(oauth.settings.exchange_timeout)))
    }

    /// Opens the pool of the credentials that the [store](PoolBuilder::store) holds for this provider, in its order and
    /// with its health: a cooldown goes on, and a credential that was out still is. Credentials that were added to this
    /// builder and are not in the store are stored at the back of the order.
    ///
    /// From then on the pool and the store are kept alike. The pool takes over what other processes change, as soon as
    /// the store [reports](Store::watch) it: credentials and their order, tokens, and health. Changes of the pool are
    /// written to the store in the background, off the path of requests: cooldowns and their ends, and the changes by
    /// [`Pool::add`], [`Pool::update`], [`Pool::remove`] and [`Pool::replace`]. [`Pool::flush`] waits until that is
    /// done, and says whether it has worked; [`Pool::shutdown`] flushes. While the store fails, the pool goes on with
    /// what it has in memory, sends [`Event::StoreFailed`](crate::events::Event::StoreFailed) once, and tries again.
    ///
    /// If another process has died in the middle of a refresh, the pool takes that refresh up at once: it sends the old
    /// refresh token once more, and if that is refused the credential needs a
    /// [login](crate::verdict::OutReason::RefreshLost).
    ///
    /// # Errors
    /// The errors of [`PoolBuilder::build`]. If the store cannot be read or cannot list its records: this never gives
    /// an empty pool. If a stored credential is malformed. Outside of a tokio runtime.
    pub async fn open(self) -> Result<Pool, Error> {
        let runtime = Handle::try_current()
            .map_err(|source| Error::config("a pool can only be opened in a tokio runtime").with_source(source))?;
        let (pool, given) = self.assemble(true)?;
        // The watch begins before the store is read, so that no change in between is missed.
        let changes = pool.0.store.watch();
        let found = pool.load_all().await.map_err(|source| pool.unreadable(source))?;
        let mut seen = LastRead::default();
        let begun: Vec<_> = found.iter().filter(|entry| is_interrupted(entry)).map(id_of).collect();
        // From here on changes are collected for the store, because an impossible end that is read is corrected there.
        pool.state().collect_changes();
        pool.take_in(&mut seen, found)?;
        for credential in given {
            if pool.snapshot().credential(credential.id.as_str()).is_none() {
                let entry = pool.store_new(credential).await?;
                pool.take_in_one(&mut seen, entry)?;
            }
        }
        runtime.spawn(Follower::new(&pool, changes, seen).run());
        pool.carry(&runtime);
        for id in begun {
            pool.take_up(&id)?;
        }
        Ok(pool)
    }
}

/// Whether a refresh of the present token has begun, and its end is unknown.
fn is_interrupted(entry: &Entry) -> bool {
    entry.record.intent.as_ref().is_some_and(|intent| intent.generation >= entry.record.generation)
}

fn id_of(entry: &Entry) -> CredentialId {
    entry.record.credential.id.clone()
}

impl Pool {
    /// Takes up a refresh that a dead process has begun. Events report its outcome.
    fn take_up(&self, id: &CredentialId) -> Result<(), Error> {
        let state = self.state();
        let refreshable = state.find(id.as_str()).filter(|entry| entry.has_good_refresh_token());
        let place = refreshable.filter(|_| self.0.source.is_some()).map(|entry| entry.access().slot.place);
        let Some(place) = place else { return Ok(()) };
        drop(state);
        self.start_refresh(place)
    }

    pub(in crate::pool) async fn load_all(&self) -> Result<Vec<Entry>, BoxError> {
        limited(STORE_LIMIT, self.0.store.load_all(&self.0.provider)).await
    }

    fn unreadable(&self, source: BoxError) -> Error {
        let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
        let message = format!("the credentials of {:?} could not be loaded: {source}", self.0.provider);
        Error::new(kind, message).with_source(source)
    }

    /// Stores a credential that the store did not hold. If the store holds it by now, the stored one is returned.
    async fn store_new(&self, credential: Credential) -> Result<Entry, Error> {
        self.0.check(&credential)?;
        let key = StoreKey::new(self.0.provider.clone(), credential.id.clone());
        let record = Record::new(credential, Generation::FIRST);
        let stored = limited(STORE_LIMIT, self.0.store.compare_and_set(&key, None, Some(record))).await;
        let failed = |source: BoxError| {
            let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
            Error::new(kind, format!("{key} could not be stored: {source}")).with_source(source)
        };
        match stored.map_err(failed)? {
            CasOutcome::Stored(entry) | CasOutcome::Conflict(Some(entry)) => Ok(entry),
            CasOutcome::Conflict(None) | CasOutcome::Removed => {
                Err(Error::new(ErrorKind::Store, format!("{key} could not be stored: others remove it all the time")))
            }
        }
    }
}
