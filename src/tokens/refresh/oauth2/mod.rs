//! The refresh grant of OAuth 2.0 over any HTTP client that is a tower service.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use tower_service::Service;

use super::body::{Came, failed, read_answer};
use super::{RefreshError, RefreshRequest, TokenSource, token_request, token_response};
use crate::clock::{SystemClock, WallClock};
use crate::config::OAuthServer;
use crate::credentials::origin::{Origin, parse_endpoint};
use crate::credentials::{Secret, TokenSet};
use crate::error::{BoxError, Error};

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
    client_id: String,
    client_secret: Option<Secret>,
    secret_in_body: bool,
    scope: Option<String>,
    parameters: Vec<(String, Secret)>,
    json: bool,
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
            client_id: client_id.into(),
            client_secret: None,
            secret_in_body: false,
            scope: None,
            parameters: Vec::new(),
            json: false,
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
        self.client_secret = Some(secret.into());
        self
    }

    /// Sends the client's secret in the body, for servers that do not read HTTP Basic.
    #[must_use]
    pub fn client_secret_in_body(mut self) -> Self {
        self.secret_in_body = true;
        self
    }

    /// Asks for these scopes, separated by spaces. Without it the server keeps those of the login.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Adds a parameter to the body, such as `audience`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Sends the body as a JSON object instead of a form, for servers that read nothing else.
    #[must_use]
    pub fn json_body(mut self) -> Self {
        self.json = true;
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
        if self.client_id.is_empty() {
            return Err(Error::config("OAuth2: the client id is empty; the provider assigns one to each application"));
        }
        if self.secret_in_body && self.client_secret.is_none() {
            return Err(Error::config("OAuth2: client_secret_in_body needs a client_secret"));
        }
        let mut names = vec!["grant_type", "refresh_token", "client_id", "client_secret", "scope"];
        for (name, _) in &self.parameters {
            if names.contains(&name.as_str()) {
                return Err(Error::config(format!("OAuth2: the parameter {name:?} would be sent twice; leave it out")));
            }
            names.push(name);
        }
        Ok(uri)
    }

    fn request(&self, uri: Uri, refresh_token: &Secret) -> Result<Request<B>, RefreshError>
    where
        B: From<Bytes>,
    {
        let unusable =
            |source: BoxError| RefreshError::misconfigured("the request could not be built").with_source(source);
        let basic = self.client_secret.as_ref().filter(|_| !self.secret_in_body);
        let fields = self.fields(refresh_token, basic.is_some());
        let (media_type, body) = if self.json {
            let body = token_request::json(&fields).map_err(|source| unusable(source.into()))?;
            ("application/json", Bytes::from_owner(body))
        } else {
            ("application/x-www-form-urlencoded", Bytes::from_owner(token_request::form(&fields)))
        };

        let mut request = Request::new(B::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        // A compressed answer cannot be read here, and its refresh token would be lost.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(secret) = basic {
            let value = token_request::basic(&self.client_id, secret).map_err(|source| unusable(source.into()))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// The fields of the body. With HTTP Basic they leave the client out, because only one way of authentication is
    /// allowed.
    fn fields<'a>(&'a self, refresh_token: &'a Secret, basic: bool) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        if !basic {
            fields.push(("client_id", &self.client_id));
            fields.extend(self.client_secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        }
        fields.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(self.parameters.iter().map(|(name, value)| (name.as_str(), value.expose())));
        fields
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
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Kept outside of the time limit, because the part of an answer that has come may hold the new refresh token.
        let (mut came, mut sent_at) = (None, self.clock.now());
        let exchange = async {
            poll_fn(|cx| http.poll_ready(cx)).await.map_err(|source| failed(source.into()))?;
            // A life that is counted from before the send is never taken for longer than it is.
            sent_at = self.clock.now();
            let request = self.request(uri, refresh_token)?;
            let answer = http.call(request).await.map_err(|source| failed(source.into()))?;
            read_answer(answer, &mut came).await
        };
        let ended = tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            let message = format!("no answer of the token endpoint within {:?}", self.timeout);
            Err(RefreshError::transient(message).unanswered())
        });
        let cut = match (ended, &came) {
            (Ok(()), _) => None,
            (Err(error), None) => return Err(error),
            (Err(error), Some(_)) => Some(error),
        };
        let Some(Came { head, body }) = came else { return Err(failed("there is no answer".into())) };
        match cut {
            None => token_response::read(head.status, &head.headers, &body, sent_at, tokens),
            Some(error) => token_response::read_cut(&head, &body, sent_at, tokens, error),
        }
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
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("scope", &self.scope)
            .field("parameters", &self.parameters)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
