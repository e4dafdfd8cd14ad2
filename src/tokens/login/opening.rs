//! The opening of a login in a browser: its URL, its state, and its PKCE verifier (RFC 6749 section 4.1.1, RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::LoginError;
use crate::credentials::Secret;
use crate::tokens::refresh::token_request::OAuthClient;

/// The URL for a browser, and the secrets that belong to it.
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) state: Secret,
    /// Proves that the same program asks for the code and for the tokens.
    pub(super) verifier: Secret,
}

impl Opening {
    /// Draws a new state and a new verifier.
    pub(super) fn new(client: &OAuthClient, start: &Uri, redirect_uri: &str) -> Result<Self, LoginError> {
        let (state, verifier) = (random()?, random()?);
        Ok(Self { url: url(client, start, redirect_uri, &state, &verifier), state, verifier })
    }
}

fn url(client: &OAuthClient, start: &Uri, redirect_uri: &str, state: &Secret, verifier: &Secret) -> String {
    let mut url = start.to_string();
    let query = start.query().map(str::len);
    if query.is_none() {
        url.push('?');
    }
    let query_at = url.len() - query.unwrap_or(0);
    form_urlencoded::Serializer::for_suffix(url, query_at)
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &client.id),
            ("state", state.expose()),
            ("code_challenge", &challenge(verifier)),
            ("code_challenge_method", "S256"),
            ("redirect_uri", redirect_uri),
        ])
        .extend_pairs(client.asks())
        .finish()
}

/// The verifier's hash, which may be seen before the verifier itself is sent (RFC 7636 section 4.2).
fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()))
}

/// 256 bits from the operating system's generator for secrets, in letters that a URL can carry.
fn random() -> Result<Secret, LoginError> {
    let mut bits = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bits)
        .map_err(|error| LoginError::config("this machine has no random numbers for a login").with_source(error))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_url_keeps_the_endpoints_own_query() {
        let client = OAuthClient {
            id: "a&b".to_owned(),
            scope: Some("openid email".to_owned()),
            parameters: vec![("prompt".to_owned(), "consent".into())],
            ..OAuthClient::default()
        };
        let rest = format!(
            "response_type=code&client_id=a%26b&state=st&code_challenge={CHALLENGE}&code_challenge_method=S256\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A5%2Fcallback&scope=openid+email&prompt=consent"
        );
        for (start, expected) in [
            ("https://auth.example.com", "https://auth.example.com/?"),
            ("https://auth.example.com/authorize", "https://auth.example.com/authorize?"),
            ("https://auth.example.com/authorize?", "https://auth.example.com/authorize?"),
            ("https://auth.example.com/authorize?a=%20", "https://auth.example.com/authorize?a=%20&"),
        ] {
            let start = start.parse().unwrap();
            let url = url(&client, &start, "http://127.0.0.1:5/callback", &"st".into(), &VERIFIER.into());
            assert_eq!(url, format!("{expected}{rest}"));
        }
    }

    #[test]
    fn state_and_verifier_have_256_bits_and_never_come_twice() {
        let drawn: Vec<_> = (0..4).map(|_| random().unwrap()).collect();
        for (index, secret) in drawn.iter().enumerate() {
            assert_eq!(URL_SAFE_NO_PAD.decode(secret.expose()).unwrap().len(), 32);
            assert!(!drawn[..index].contains(secret));
        }
    }
}
