//! The refresh grant of OAuth 2.0 over any HTTP client that is a tower service.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use tower_service::Service;

use super::send::send;
use super::token_request::OAuthClient;
use super::{RefreshError, RefreshRequest, TokenSource, token_response};
use crate::clock::{SystemClock, WallClock};
use crate::config::OAuthServer;
use crate::credentials::origin::{Origin, parse_endpoint};
use crate::credentials::{Secret, TokenSet};
use crate::error::{BoxError, Error};
use crate::sync::{Mutex, lock};

/// Names of fields that the library sets itself, so that a caller's own may not have them.
const OURS: &[&str] = &["grant_type", "refresh_token", "client_id", "client_secret", "scope"];
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Refreshes tokens with the refresh grant of OAuth 2.0 (RFC 6749 section 6).
///
/// `http` is any tower service that sends requests and can be cloned, such as `client::HttpClient` of the feature
/// `hyper-client`. It must not follow redirects to other hosts, nor send a request twice: a refresh token can often be
/// used only once.
///
/// The URL is `https`, or plain `http` on this machine's own addresses. Anything else is an error when the pool is
/// built, and nothing is sent.
///
/// # What an answer means
///
/// Answers are read in JSON and form-encoded, at most 1 MiB. A new token without a new refresh token keeps the old one.
/// A life that is missing, unreadable, shorter than a second or longer than ten years counts as unknown. The members may be
/// written in other ways (`accessToken`, `access-token`), come twice (the last one that is a token counts), or stand in the
/// only object inside the answer that has tokens.
///
/// A success that brings a new refresh token and no access token that can be sent is an error, and the new refresh token is
/// kept for the next refresh: the old one is spent.
///
/// | answer | kind of error |
/// |---|---|
/// | `invalid_grant` (RFC 6749 section 5.2); in its place some servers send `refresh_token_expired`, `refresh_token_reused`, `refresh_token_invalidated`, `invalid_refresh_token`, `bad_refresh_token`, `token_revoked`, `token_expired` (of the only token sent), `app_session_expired`, `app_session_terminated`, `account_session_expired`, `account_deactivated`, `account_deleted`, `account_suspended` | [`LoginNeeded`](super::RefreshErrorKind::LoginNeeded) |
/// | `invalid_client`, `unauthorized_client`, `unsupported_grant_type`, `invalid_scope`, `invalid_request` | [`Misconfigured`](super::RefreshErrorKind::Misconfigured) |
/// | 429 and 5xx whatever they say, a failed connection, no whole answer in time, and everything else | [`Transient`](super::RefreshErrorKind::Transient) |
///
/// The code is read from `error`, `error.code`, `error.type`, `error_code` or `code`, with any status: also in
/// an answer with 200.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::TokenSet;
/// use oauth_marathon::tokens::refresh::{OAuth2, RefreshRequest, TokenSource};
///
/// # let http = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(r#"{"access_token":"new","expires_in":3600}"#)))
/// # });
/// let source = OAuth2::new("https://auth.example.com/oauth/token", "my-client", http).scope("openid offline_access");
///
/// let old = TokenSet::new("old").with_refresh("refresh");
/// let new = source.refresh(RefreshRequest::new("openai", "work", old)).await?;
/// assert_eq!(new.access().expose(), "new");
/// assert_eq!(new.refresh().map(|token| token.expose()), Some("refresh"));
/// # Ok(()) }
/// ```
pub struct OAuth2<C, B> {
    token_url: String,
    client: OAuthClient,
    timeout: Duration,
    clock: Box<dyn WallClock>,
    /// The client, which is cloned and never called. Thanks to the lock it need not be `Sync`.
    http: Mutex<C>,
    body: PhantomData<fn() -> B>,
}

impl<C, B> OAuth2<C, B> {
    /// A source that asks `token_url` as the public client `client_id`.
    pub fn new(token_url: impl Into<String>, client_id: impl Into<String>, http: C) -> Self
    where
        C: Service<Request<B>>,
    {
        Self {
            token_url: token_url.into(),
            client: OAuthClient { id: client_id.into(), ..OAuthClient::default() },
            timeout: DEFAULT_TIMEOUT,
            clock: Box::new(SystemClock),
            http: Mutex::new(http),
            body: PhantomData,
        }
    }

    /// A source that asks the token endpoint of `server` as the client that its settings name.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](crate::ErrorKind::Config), if `tokenUrl` or `clientId` is not set.
    pub fn for_server(server: &OAuthServer, http: C) -> Result<Self, Error>
    where
        C: Service<Request<B>>,
    {
        let missing = |key: &str| Error::config(format!("{key}: must be set for tokens to be refreshed"));
        let token_url = server.token_url.as_deref().ok_or_else(|| missing("tokenUrl"))?;
        let client_id = server.client_id.as_deref().ok_or_else(|| missing("clientId"))?;
        Ok(Self::new(token_url, client_id, http))
    }

    /// Authenticates a confidential client with this secret, sent with HTTP Basic (RFC 6749 section 2.3.1).
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client.secret = Some(secret.into());
        self
    }

    /// Sends the client's secret in the body, for servers that do not read HTTP Basic.
    #[must_use]
    pub fn client_secret_in_body(mut self) -> Self {
        self.client.secret_in_body = true;
        self
    }

    /// Asks for these scopes, separated by spaces. Without it the server keeps those of the login.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.client.scope = Some(scope.into());
        self
    }

    /// Adds a parameter to the body, such as `audience`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.client.parameters.push((name.into(), value.into()));
        self
    }

    /// Sends the body as a JSON object instead of a form, for servers that read nothing else.
    #[must_use]
    pub fn json_body(mut self) -> Self {
        self.client.json = true;
        self
    }

    /// Sets how long the whole exchange may take, 30 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the clock that a token's life is counted on, the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: impl WallClock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The URL of the token endpoint. An error if a setting is wrong.
    fn endpoint(&self) -> Result<Uri, Error> {
        let uri = parse_endpoint("token URL", &self.token_url)?;
        if self.client.id.is_empty() {
            return Err(Error::config("OAuth2: the client id is empty; the provider assigns one to each application"));
        }
        self.client.check(OURS).map_err(|why| Error::config(format!("OAuth2: {why}")))?;
        Ok(uri)
    }
}

impl<C, B, A> TokenSource for OAuth2<C, B>
where
    C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: From<Bytes> + Send + 'static,
    A: Body<Data: Send, Error: Into<BoxError>> + Send,
{
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let uri = self.endpoint().map_err(|source| {
            RefreshError::misconfigured("the token endpoint is set up wrongly").with_source(source)
        })?;
        let tokens = request.tokens();
        let Some(refresh_token) = tokens.refresh().filter(|token| !token.is_empty()) else {
            return Err(RefreshError::login_needed("there is no refresh token; log in again"));
        };
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        let request = self.client.request(&uri, &grant, &self.client.asks())?;
        let http = lock(&self.http).clone();
        let reply = send::<C, B, A>(http, request, "the token endpoint", self.timeout, &*self.clock).await?;
        token_response::read_reply(&reply, tokens)
    }

    fn check(&self) -> Result<(), Error> {
        self.endpoint().map(drop)
    }
}

impl<C, B> fmt::Debug for OAuth2<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.token_url.parse().ok().and_then(|uri| Origin::of(&uri));
        f.debug_struct("OAuth2")
            .field("origin", &origin)
            .field("client", &self.client)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
