//! A refresh on demand, whatever the state of the token.

use std::sync::Arc;

use crate::credentials::Generation;
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::handle::Pool;
use crate::pool::record_turn::RecordTurn;
use crate::store::StoreKey;
use crate::sync::oneshot;
use crate::tokens::refresh::RefreshError;

impl Pool {
    /// Refreshes the token of a credential now, even if it is valid or its refresh token is known to be refused. Joins
    /// the refresh that is under way, if there is one. Returns the generation of the new token once that is in use and
    /// stored.
    ///
    /// The refresh runs in a task of its own, and goes on if the caller goes away. If another process refreshes the
    /// same credential, the refresh waits for it a few seconds, and takes over the token that it brings. A failure counts
    /// as in every refresh: a token that is still valid stays in use, otherwise the credential cools or needs a login.
    ///
    /// ```
    /// use oauth_marathon::tokens::refresh::{RefreshRequest, token_source_fn};
    /// use oauth_marathon::{Credential, Generation, Pool, TokenSet};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::Error> {
    /// let pool = Pool::builder("openai")
    ///     .origin("https://api.example.com")
    ///     .credential(Credential::new("work", TokenSet::new("old").with_refresh("r1")))
    ///     .token_source(token_source_fn(async |_: RefreshRequest| Ok(TokenSet::new("new").with_refresh("r2"))))
    ///     .build()?;
    /// assert_eq!(pool.refresh("work").await?, Generation::new(2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`UnknownCredential`](ErrorKind::UnknownCredential): the pool does not hold the credential, or it was removed
    ///   meanwhile.
    /// - [`LoginNeeded`](ErrorKind::LoginNeeded): the refresh token was refused for good.
    /// - [`Refresh`](ErrorKind::Refresh): the refresh failed for now, or cannot be done: there is no refresh token, or
    ///   the pool has no token source. If the token source failed, the source of the error is its [`RefreshError`].
    /// - [`Store`](ErrorKind::Store), or the store's own kind: the new token is in use and could not be stored. The pool stores
    ///   it as soon as that works.
    /// - [`Closed`](ErrorKind::Closed): the pool has been shut down.
    pub async fn refresh(&self, id: impl AsRef<str>) -> Result<Generation, Error> {
        let id = id.as_ref();
        let (sender, done) = oneshot::channel();
        let record_turn = self.demand(id, sender)?;
        let ended = done.await.unwrap_or_else(|_| Err(RefreshError::transient("the refresh was cut short")));
        // A removal wins over a refresh.
        self.generation_of(id)?;
        ended.map_err(|error| {
            let message = format!("the token of {id:?} could not be refreshed: {error}");
            error.into_error(message)
        })?;
        let mut pending = record_turn.take().await;
        let key = StoreKey::new(self.0.provider.clone(), id);
        self.0.save_pending(&key, &mut pending).await.map_err(|source: BoxError| {
            let kind = Error::find(&*source).map_or(ErrorKind::Store, Error::kind);
            let message = format!(
                "{id:?} has a new token, which could not be stored: {source}; it is in memory alone, and stored as soon as that works"
            );
            Error::new(kind, message).with_source(source)
        })?;
        self.generation_of(id)
    }

    fn generation_of(&self, id: &str) -> Result<Generation, Error> {
        let generation = self.state().find(id).map(|entry| entry.access().generation);
        generation.ok_or_else(|| self.0.not_held(id))
    }

    /// Joins the refresh of a credential, or begins one, and returns the credential's turn.
    fn demand(&self, id: &str, waiter: oneshot::Sender<Result<(), RefreshError>>) -> Result<Arc<RecordTurn>, Error> {
        let mut state = self.state();
        if state.is_closed() {
            return Err(self.0.closed());
        }
        let place = state.place_of(id);
        let found = place.and_then(|place| state.entry(place).map(|entry| (place, entry)));
        let (place, entry) = found.ok_or_else(|| self.0.not_held(id))?;
        let unable = |why: &str| Error::new(ErrorKind::Refresh, format!("{id:?} cannot be refreshed: {why}"));
        if !entry.is_refreshable() {
            return Err(unable("it has no refresh token; log in, and hand the new tokens to Pool::update"));
        }
        if self.0.source.is_none() {
            return Err(unable("the pool has no token source; give it one with PoolBuilder::token_source"));
        }
        let record_turn = entry.record_turn().clone();
        let begun = self.join_refresh(&mut state, place, Some(waiter))?;
        drop(state);
        if let Some(mut ticket) = begun {
            ticket.insists = true;
            ticket.start();
        }
        Ok(record_turn)
    }
}
