//! Refreshes a token before or after it expires: the [`TokenSource`] trait, and the OAuth 2.0 refresh grant.
//!
//! A source performs one exchange: the one call to the token endpoint within a refresh. The pool decides when to refresh: it
//! runs one refresh of a credential at a time, in a task that outlives its callers, and shares the outcome among all waiters.
//! `across` holds the steps around the exchange that keep processes from spending one refresh token twice; the pool uses it, and
//! so does [`RecordRefresh`], for programs that run no pool.
//!
//! This room may call the token endpoint and the store, and nothing else. The trait is one method, so that a vault or
//! another grant can take the place of OAuth 2.0. The steps around it, in which a token could get lost, stay here and
//! are not the user's.

pub(crate) mod across;
pub(crate) mod code;
mod error;
mod oauth2;
mod record;
pub(crate) mod send;
pub(crate) mod token_request;
pub(crate) mod token_response;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::error::{RefreshError, RefreshErrorKind};
pub use self::oauth2::OAuth2;
pub use self::record::{RecordRefresh, RecordRefreshNews, RecordRefreshed};
use crate::credentials::{CredentialId, TokenSet};
use crate::error::Error;

/// Where new tokens come from. [`OAuth2`] is the usual one; [`token_source_fn`] makes one of a closure.
///
/// ```
/// use oauth_marathon::TokenSet;
/// use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};
///
/// struct Vault;
///
/// impl TokenSource for Vault {
///     async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
///         match request.credential().as_str() {
///             "work" => Ok(TokenSet::new("from the vault")),
///             other => Err(RefreshError::misconfigured(format!("the vault does not know {other:?}"))),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not refresh tokens",
    label = "not a `TokenSource`",
    note = "use `oauth_marathon::tokens::refresh::OAuth2` for an OAuth server, or wrap a closure in `oauth_marathon::tokens::refresh::token_source_fn`"
)]
pub trait TokenSource: Send + Sync + 'static {
    /// Exchanges the tokens of one credential for new ones.
    ///
    /// The answer is the whole token set: if the refresh token stays the same, it holds the current one. A refresh token can
    /// often be used only once, so an implementation sends it once, and does not retry.
    ///
    /// # Errors
    ///
    /// A [`RefreshError`] whose kind says whether to try again later, to log in again, or to correct the settings.
    fn refresh(&self, request: RefreshRequest) -> impl Future<Output = Result<TokenSet, RefreshError>> + Send;

    /// Checks the settings. Called once, while the pool is being built.
    ///
    /// # Errors
    ///
    /// An error of kind [`Config`](crate::ErrorKind::Config), which the builder of the pool returns.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A request for one exchange: the tokens to be replaced, and whose they are.
#[derive(Debug, Clone)]
pub struct RefreshRequest {
    provider: Arc<str>,
    credential: CredentialId,
    tokens: TokenSet,
}

impl RefreshRequest {
    /// A request to exchange `tokens`, as the pool makes it.
    pub fn new(provider: impl Into<Arc<str>>, credential: impl Into<CredentialId>, tokens: TokenSet) -> Self {
        Self { provider: provider.into(), credential: credential.into(), tokens }
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

    /// The tokens to be replaced.
    #[must_use]
    pub fn tokens(&self) -> &TokenSet {
        &self.tokens
    }
}

/// Makes a [`TokenSource`] of a closure.
///
/// ```
/// use oauth_marathon::TokenSet;
/// use oauth_marathon::tokens::refresh::{RefreshRequest, token_source_fn};
///
/// let source = token_source_fn(async |request: RefreshRequest| {
///     Ok(request.tokens().clone().expires_at(std::time::SystemTime::UNIX_EPOCH))
/// });
/// # let _ = source;
/// ```
pub fn token_source_fn<F, Fut>(f: F) -> TokenSourceFn<F>
where
    F: Fn(RefreshRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TokenSet, RefreshError>> + Send,
{
    TokenSourceFn(f)
}

/// A [`TokenSource`] that calls a closure; made by [`token_source_fn`].
#[derive(Clone, Copy)]
pub struct TokenSourceFn<F>(F);

impl<F, Fut> TokenSource for TokenSourceFn<F>
where
    F: Fn(RefreshRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TokenSet, RefreshError>> + Send,
{
    fn refresh(&self, request: RefreshRequest) -> impl Future<Output = Result<TokenSet, RefreshError>> + Send {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for TokenSourceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token_source_fn")
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`TokenSource`] as a trait object, which the pool keeps in an `Arc`.
pub(crate) trait DynTokenSource: Send + Sync {
    fn refresh(&self, request: RefreshRequest) -> BoxFuture<'_, Result<TokenSet, RefreshError>>;
    fn check(&self) -> Result<(), Error>;
}

impl<T: TokenSource> DynTokenSource for T {
    fn refresh(&self, request: RefreshRequest) -> BoxFuture<'_, Result<TokenSet, RefreshError>> {
        Box::pin(TokenSource::refresh(self, request))
    }

    fn check(&self) -> Result<(), Error> {
        TokenSource::check(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closure_serves_as_a_source_behind_a_dyn_handle() {
        let source: Arc<dyn DynTokenSource> = Arc::new(token_source_fn(async |request: RefreshRequest| {
            assert_eq!((request.provider(), request.credential().as_str()), ("openai", "work"));
            assert_eq!(request.tokens().access().expose(), "old");
            Ok(TokenSet::new("new"))
        }));
        source.check().unwrap();
        let request = RefreshRequest::new("openai", "work", TokenSet::new("old"));
        let tokens = tokio::spawn(async move { source.refresh(request).await }).await.unwrap().unwrap();
        assert_eq!(tokens.access().expose(), "new");
    }

    #[test]
    fn a_request_never_shows_its_tokens() {
        let request = RefreshRequest::new("openai", "work", TokenSet::new("at-secret").with_refresh("rt-secret"));
        let shown = format!("{request:?}");
        assert!(shown.contains("work") && !shown.contains("-secret"), "{shown}");
    }
}
