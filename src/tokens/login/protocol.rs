//! The only file that uses the `oauth2` crate, which makes PKCE, state and requests, and runs the device grant's polling.
//!
//! The crate does not read answers: [`super::answer`] does, as tolerantly as for a refresh. The crate gets only the outcome, so
//! no token passes through it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode, Uri};
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardDeviceAuthorizationResponse, TokenUrl,
};
use zeroize::Zeroizing;

use super::error::LoginError;
use super::http::{Http, Reply};
use crate::credentials::Secret;
use crate::tokens::refresh::RefreshError;

/// The OAuth client: its id, its secret, and how the secret is sent.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<Secret>,
    pub(super) secret_in_body: bool,
}

/// The parameters of an authorization request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) scopes: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
}

/// A login that has begun: the URL for a browser, and the secrets that belong to it.
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) state: Secret,
    pub(super) verifier: Verifier,
}

/// The secret that proves that the same program asks for the code and for the tokens (RFC 7636).
pub(super) struct Verifier(PkceCodeVerifier);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The outcome of one poll of the device grant, in the two forms that the protocol knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The login is over, well or not.
    Done,
    /// Another poll follows, after a pause.
    Again,
}

pub(super) type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends the polls of the device grant, and waits between them.
pub(super) trait Asking: Send + Sync {
    fn ask(&self, request: Request<Bytes>) -> Soon<'_, Step>;
    fn pause(&self) -> Soon<'_, ()>;
}

type Endpoint = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn basic(client: &Client, token: &Uri) -> Result<Endpoint, LoginError> {
    let url = TokenUrl::new(token.to_string()).map_err(|_| malformed("tokenUrl"))?;
    let mut basic = BasicClient::new(ClientId::new(client.id.clone())).set_token_uri(url);
    if let Some(secret) = &client.secret {
        basic = basic.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    Ok(basic.set_auth_type(if client.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth }))
}

fn malformed(key: &str) -> LoginError {
    LoginError::config(format!("{key}: is not a URL"))
}

/// The URL of the authorization request, with PKCE (S256) and a state of 256 bits.
pub(super) fn open(
    client: &Client,
    token: &Uri,
    start: &Uri,
    redirect: &str,
    ask: &Ask,
) -> Result<Opening, LoginError> {
    let url = AuthUrl::new(start.to_string()).map_err(|_| malformed("authorizationUrl"))?;
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| malformed("redirect URI"))?;
    let client = basic(client, token)?.set_auth_uri(url).set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(|| CsrfToken::new_random_len(32))
        .set_pkce_challenge(challenge)
        .add_scopes(ask.scopes.iter().cloned().map(Scope::new));
    for (name, value) in &ask.parameters {
        request = request.add_extra_param(name, value);
    }
    let (url, state) = request.url();
    Ok(Opening { url: url.into(), state: Secret::new(state.into_secret()), verifier: Verifier(verifier) })
}

/// Sends the code to the token endpoint, once.
pub(super) async fn exchange_code(
    client: &Client,
    token: &Uri,
    redirect: &str,
    code: &Secret,
    verifier: Verifier,
    http: &Http,
) -> Result<Answer, LoginError> {
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| malformed("redirect URI"))?;
    let client = basic(client, token)?.set_redirect_uri(redirect);
    let code = AuthorizationCode::new(code.expose().to_owned());
    let once = Once::new(http);
    let _ = client
        .exchange_code(code)
        .set_pkce_verifier(verifier.0)
        .request_async(&Told { uri: token, asking: &once })
        .await;
    once.answer()
}

/// Asks for a device code, once.
pub(super) async fn ask_for_device_code(
    client: &Client,
    token: &Uri,
    start: &Uri,
    ask: &Ask,
    http: &Http,
) -> Result<Answer, LoginError> {
    let url = DeviceAuthorizationUrl::new(start.to_string()).map_err(|_| malformed("deviceAuthorizationUrl"))?;
    let client = basic(client, token)?.set_device_authorization_url(url);
    let mut request = client.exchange_device_code().add_scopes(ask.scopes.iter().cloned().map(Scope::new));
    for (name, value) in &ask.parameters {
        request = request.add_extra_param(name, value);
    }
    let once = Once::new(http);
    let http = Told { uri: start, asking: &once };
    let _: Result<StandardDeviceAuthorizationResponse, _> = request.request_async(&http).await;
    once.answer()
}

/// Asks for the tokens of a device code until `asking` says that it is over.
pub(super) async fn poll(
    client: &Client,
    token: &Uri,
    device_code: &Secret,
    asking: &dyn Asking,
) -> Result<(), LoginError> {
    let client = basic(client, token)?;
    // The crate ignores these times: `asking` keeps the time, on a clock that does not jump.
    let details: StandardDeviceAuthorizationResponse = serde_json::from_value(serde_json::json!({
        "device_code": device_code.expose(),
        "user_code": "",
        "verification_uri": token.to_string(),
        "expires_in": 0,
    }))
    .map_err(|_| malformed("tokenUrl"))?;
    let http = Told { uri: token, asking };
    let longest = Some(Duration::from_secs(366 * 24 * 3600));
    let _ = client.exchange_device_access_token(&details).request_async(&http, |_| asking.pause(), longest).await;
    Ok(())
}

pub(super) type Answer = Result<Reply, RefreshError>;

/// An HTTP client for the crate that sends one request and keeps the answer for us.
struct Once<'a> {
    http: &'a Http,
    answer: Mutex<Option<Answer>>,
}

impl<'a> Once<'a> {
    fn new(http: &'a Http) -> Self {
        Self { http, answer: Mutex::new(None) }
    }

    fn answer(self) -> Result<Answer, LoginError> {
        let answer = self.answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        answer.ok_or_else(|| LoginError::config("the request could not be built; check clientId and its secret"))
    }
}

impl Asking for Once<'_> {
    fn ask(&self, request: Request<Bytes>) -> Soon<'_, Step> {
        Box::pin(async move {
            let answer = self.http.send(request).await;
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Step::Done
        })
    }

    fn pause(&self) -> Soon<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// An HTTP client for the crate that polls through `asking`, and answers the crate only with "again" or "done".
struct Told<'a> {
    uri: &'a Uri,
    asking: &'a dyn Asking,
}

impl<'c> AsyncHttpClient<'c> for Told<'_> {
    type Error = http::Error;
    type Future = Soon<'c, Result<HttpResponse, http::Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (mut head, body) = request.into_parts();
        head.uri = self.uri.clone();
        if let Some(basic) = head.headers.get_mut(AUTHORIZATION) {
            basic.set_sensitive(true);
        }
        let request = Request::from_parts(head, Bytes::from_owner(Zeroizing::new(body)));
        Box::pin(async move {
            let words: &[u8] = match self.asking.ask(request).await {
                Step::Done => br#"{"error":"invalid_request"}"#,
                Step::Again => br#"{"error":"authorization_pending"}"#,
            };
            Response::builder().status(StatusCode::BAD_REQUEST).body(words.to_vec())
        })
    }
}
