//! The one place that knows the `oauth2` crate: it makes PKCE, state and requests, and runs the device grant's polling.
//!
//! Answers are not read by it, but by [`super::answer`], as tolerantly as those to a refresh. The crate is told only what
//! came of them, so no token passes through it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardDeviceAuthorizationResponse, TokenUrl,
};
use zeroize::Zeroizing;

use super::error::LoginError;
use crate::secret::Secret;

/// Who asks, as the server knows it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<Secret>,
    pub(super) secret_in_body: bool,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) scopes: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
}

/// A login that a browser can be sent to.
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) state: Secret,
    pub(super) verifier: Verifier,
}

/// The secret that shows that code and tokens are asked for by the same program (RFC 7636).
pub(super) struct Verifier(PkceCodeVerifier);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What came of a request, as far as the protocol goes on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is over, well or not.
    Done,
    /// The device is to be asked about again, after a pause.
    Again,
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
pub(super) async fn exchange_code<F, Fut>(
    client: &Client,
    token: &Uri,
    redirect: &str,
    code: &Secret,
    verifier: Verifier,
    send: F,
) -> Result<(), LoginError>
where
    F: Fn(http::Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Step> + Send,
{
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| malformed("redirect URI"))?;
    let client = basic(client, token)?.set_redirect_uri(redirect);
    let http = |request| told(&send, token, request);
    let code = AuthorizationCode::new(code.expose().to_owned());
    let _ = client.exchange_code(code).set_pkce_verifier(verifier.0).request_async(&http).await;
    Ok(())
}

/// Asks for a device code, once.
pub(super) async fn ask_for_device_code<F, Fut>(
    client: &Client,
    token: &Uri,
    start: &Uri,
    ask: &Ask,
    send: F,
) -> Result<(), LoginError>
where
    F: Fn(http::Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Step> + Send,
{
    let url = DeviceAuthorizationUrl::new(start.to_string()).map_err(|_| malformed("deviceAuthorizationUrl"))?;
    let client = basic(client, token)?.set_device_authorization_url(url);
    let mut request = client.exchange_device_code().add_scopes(ask.scopes.iter().cloned().map(Scope::new));
    for (name, value) in &ask.parameters {
        request = request.add_extra_param(name, value);
    }
    let http = |request| told(&send, start, request);
    let answer: Result<StandardDeviceAuthorizationResponse, _> = request.request_async(&http).await;
    drop(answer);
    Ok(())
}

/// Asks for the tokens of a device code until `send` says that it is over. `pause` is awaited between two questions.
pub(super) async fn poll<F, Fut, P, Pause>(
    client: &Client,
    token: &Uri,
    device_code: &Secret,
    send: F,
    pause: P,
) -> Result<(), LoginError>
where
    F: Fn(http::Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Step> + Send,
    P: Fn() -> Pause + Send + Sync,
    Pause: Future<Output = ()> + Send,
{
    let client = basic(client, token)?;
    // The times in it are of no account: `pause` and `send` keep them, on a clock that does not jump.
    let details: StandardDeviceAuthorizationResponse = serde_json::from_value(serde_json::json!({
        "device_code": device_code.expose(),
        "user_code": "",
        "verification_uri": token.to_string(),
        "expires_in": 0,
    }))
    .map_err(|_| malformed("tokenUrl"))?;
    let http = |request| told(&send, token, request);
    let longest = Some(Duration::from_secs(366 * 24 * 3600));
    let _ = client.exchange_device_access_token(&details).request_async(&http, |_| pause(), longest).await;
    Ok(())
}

/// Sends one request of the crate, and tells the crate what came of it in the plainest words of the protocol.
async fn told<F, Fut>(send: &F, uri: &Uri, request: HttpRequest) -> Result<HttpResponse, http::Error>
where
    F: Fn(http::Request<Bytes>) -> Fut,
    Fut: Future<Output = Step>,
{
    let (mut head, body) = request.into_parts();
    head.uri = uri.clone();
    if let Some(basic) = head.headers.get_mut(http::header::AUTHORIZATION) {
        basic.set_sensitive(true);
    }
    let body = Bytes::from_owner(Zeroizing::new(body));
    let words: &[u8] = match send(http::Request::from_parts(head, body)).await {
        Step::Done => br#"{"error":"invalid_request"}"#,
        Step::Again => br#"{"error":"authorization_pending"}"#,
    };
    Response::builder().status(StatusCode::BAD_REQUEST).body(words.to_vec())
}
