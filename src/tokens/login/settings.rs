//! The settings of a login: the server, the client, and the caller's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::code::CodeLogin;
use super::device::DeviceLogin;
use super::endpoints::{self, Grant};
use super::error::LoginError;
use super::http::Http;
use super::progress::{Progress, Reporter};
use super::redirect::Redirect;
use super::session::Session;
use crate::clock::{SystemClock, WallClock};
use crate::config::OAuthServer;
use crate::credentials::Secret;
use crate::error::BoxError;
use crate::tokens::refresh::token_request::OAuthClient;

const TIME_LIMIT: Duration = Duration::from_secs(5 * 60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Names of request parameters that the library sets itself (RFC 6749, RFC 7636, RFC 8628), so that a caller's own may
/// not have them.
const OURS: &[&str] = &[
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

/// Logs a person in: [`by_code`](Self::by_code) through the browser of this machine, [`by_device`](Self::by_device) with a
/// code to be typed in on any other. The [module](crate::tokens::login) has an example of each.
///
/// One value can start any number of logins, also at once.
#[derive(Clone)]
pub struct Login {
    server: OAuthServer,
    client: OAuthClient,
    redirect_uri: Option<String>,
    userinfo_url: Option<String>,
    subject_claim: Option<String>,
    time_limit: Duration,
    reporter: Reporter,
    http: Http,
}

impl Login {
    /// Logins at `server`, with its [`client_id`](OAuthServer::client_id) and [`scopes`](OAuthServer::scopes).
    ///
    /// Endpoints that are set by hand take precedence. A missing one is looked up in the metadata of
    /// [`issuer`](OAuthServer::issuer) (RFC 8414, OpenID Connect Discovery 1.0), which has to name that same issuer.
    /// All URLs are `https`, or plain `http` on this machine's own addresses.
    ///
    /// `http` is any tower service that sends requests and can be cloned, such as `client::HttpClient` of the feature
    /// `hyper-client`. It must follow no redirects, nor send a request twice: a code can be used only once.
    pub fn new<C, B, A>(server: OAuthServer, http: C) -> Self
    where
        C: Service<Request<B>, Response = Response<A>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
        B: From<Bytes> + Send + 'static,
        A: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let id = server.client_id.clone().unwrap_or_default();
        let scope = (!server.scopes.is_empty()).then(|| server.scopes.join(" "));
        Self {
            server,
            client: OAuthClient { id, scope, ..OAuthClient::default() },
            redirect_uri: None,
            userinfo_url: None,
            subject_claim: None,
            time_limit: TIME_LIMIT,
            reporter: Reporter::default(),
            http: Http::new(http, Arc::new(SystemClock), REQUEST_TIMEOUT),
        }
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

    /// Adds a parameter to the request that opens a login, such as `prompt` or `audience`. It is no secret: the browser
    /// shows it.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.client.parameters.push((name.into(), value.into()));
        self
    }

    /// Sets the URL to which the browser brings its answer: `http://127.0.0.1/callback` by default, on any free port
    /// (RFC 8252 section 7.3). If the server knows only one port or path, name it:
    /// `http://localhost:1455/auth/callback`. The host is `127.0.0.1` or `localhost`; the port is opened on `127.0.0.1`
    /// either way.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// Sets the URL that tells who has logged in if no id token does, such as `https://api.github.com/user`. By default
    /// the `userinfo_endpoint` of the metadata, if it was looked up.
    #[must_use]
    pub fn userinfo_url(mut self, url: impl Into<String>) -> Self {
        self.userinfo_url = Some(url.into());
        self
    }

    /// Sets which claim of the id token or of the userinfo answer tells accounts apart, as a JSON pointer (RFC 6901):
    /// `/organization/id`. By default `sub`, or `id` if there is no `sub`.
    #[must_use]
    pub fn subject_claim(mut self, pointer: impl Into<String>) -> Self {
        self.subject_claim = Some(pointer.into());
        self
    }

    /// Sets how long the login waits for the browser's answer, 5 minutes by default. A device code states its own time.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets how long one request to the server may take, 30 s by default.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.http.timeout = timeout;
        self
    }

    /// Sets the clock that a token's life is counted on, the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: impl WallClock) -> Self {
        self.http.clock = Arc::new(clock);
        self
    }

    /// Reports each step to `report`, which must not block. A panic in it costs only its own report.
    #[must_use]
    pub fn on_progress(mut self, report: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.reporter = Reporter::new(report);
        self
    }

    /// Begins a login through the browser: the authorization code grant (RFC 6749 section 4.1) with PKCE (RFC 7636), its
    /// answer brought to a port of this machine (RFC 8252).
    ///
    /// The port is open when this returns. Nothing opens a browser: send it to [`CodeLogin::url`].
    ///
    /// # Errors
    ///
    /// If a setting is wrong or missing, the metadata cannot be read or must not be trusted, or the port cannot be opened.
    pub async fn by_code(&self) -> Result<CodeLogin, LoginError> {
        let redirect = self.redirect_uri.as_deref().map_or_else(|| Ok(Redirect::default()), Redirect::parse)?;
        CodeLogin::start(self.session(Grant::Code).await?, &redirect, self.time_limit).await
    }

    /// Begins a login with a code that is typed in on any device: the device authorization grant (RFC 8628).
    ///
    /// # Errors
    ///
    /// If a setting is wrong or missing, the metadata cannot be read or must not be trusted, or the server gives no code.
    pub async fn by_device(&self) -> Result<DeviceLogin, LoginError> {
        DeviceLogin::start(self.session(Grant::Device).await?).await
    }

    /// The server, with its missing endpoints taken from its issuer's metadata.
    /// [`OAuth2::for_server`](crate::tokens::refresh::OAuth2::for_server) needs this to refresh the tokens of a login
    /// if a server is set by its issuer alone.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the metadata cannot be read or must not be trusted.
    pub async fn discover(&self) -> Result<OAuthServer, LoginError> {
        endpoints::filled_in(&self.server, &self.http).await
    }

    async fn session(&self, grant: Grant) -> Result<Session, LoginError> {
        if self.client.id.is_empty() {
            return Err(LoginError::config(
                "clientId: must be set for a login; the provider assigns one to each application",
            ));
        }
        self.client.check(OURS).map_err(LoginError::config)?;
        Ok(Session {
            endpoints: endpoints::find(&self.server, self.userinfo_url.as_deref(), grant, &self.http).await?,
            client: self.client.clone(),
            subject_claim: self.subject_claim.clone(),
            http: self.http.clone(),
            reporter: self.reporter.clone(),
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("server", &self.server)
            .field("client_secret", &self.client.secret)
            .field("redirect_uri", &self.redirect_uri)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
