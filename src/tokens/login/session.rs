//! The part that both kinds of login share after they have begun.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Uri};
use serde_json::Value;
use zeroize::Zeroizing;

use super::endpoints::Endpoints;
use super::error::LoginError;
use super::http::{Http, get};
use super::identity::{self, Identity, Whose};
use super::logged_in::LoggedIn;
use super::progress::{Progress, Reporter};
use crate::credentials::TokenSet;
use crate::tokens::refresh::RefreshError;
use crate::tokens::refresh::send::Reply;
use crate::tokens::refresh::token_request::OAuthClient;

pub(super) struct Session {
    pub(super) endpoints: Endpoints,
    pub(super) client: OAuthClient,
    pub(super) subject_claim: Option<String>,
    pub(super) http: Http,
    pub(super) reporter: Reporter,
}

impl Session {
    /// Sends a request of the client to one of the endpoints; see [`OAuthClient::request`].
    pub(super) async fn post(
        &self,
        endpoint: &Uri,
        grant: &[(&str, &str)],
        asks: &[(&str, &str)],
    ) -> Result<Reply, RefreshError> {
        self.http.send(self.client.request(endpoint, grant, asks)?).await
    }

    /// Finds out whose tokens they are: from the id token, else from the userinfo endpoint, else from the account's own
    /// field in the token response. If none of these tells, the login has still succeeded.
    pub(super) async fn identify(&self, tokens: TokenSet, whose: Whose) -> Result<LoggedIn, LoginError> {
        let pointer = self.subject_claim.as_deref();
        let claims = whose.claims(self.endpoints.issuer.as_deref(), &self.client.id)?;
        let mut found = claims.map(|claims| identity::of_claims(&claims, pointer)).unwrap_or_default();
        let mut message =
            "the answer has no id token that names it, and there is no userinfo endpoint to ask".to_owned();
        if found.subject.is_none()
            && let Some(endpoint) = &self.endpoints.userinfo
        {
            match self.userinfo(endpoint, &tokens).await {
                Ok(claims) => {
                    found = found.or(identity::of_claims(&claims, pointer));
                    message = "neither the id token nor the userinfo endpoint names it".to_owned();
                }
                Err(why) => message = why,
            }
        }
        // A claim that the settings name must not be mixed up with another kind of id.
        let account = whose.account();
        found = found.or(if pointer.is_none() { account } else { Identity { subject: None, ..account } });
        if found.subject.is_none() {
            self.reporter.report(Progress::SubjectUnknown { message });
        }
        Ok(LoggedIn { tokens, subject: found.subject, label: found.label })
    }

    async fn userinfo(&self, endpoint: &Uri, tokens: &TokenSet) -> Result<Value, String> {
        let bearer = Zeroizing::new(format!("Bearer {}", tokens.access().expose()));
        let mut bearer =
            HeaderValue::from_str(&bearer).map_err(|_| "the access token fits into no header".to_owned())?;
        bearer.set_sensitive(true);
        let mut request = get(endpoint.clone());
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let reply = self.http.send(request).await.map_err(|error| format!("the userinfo endpoint: {error}"))?;
        if !reply.status.is_success() {
            return Err(format!("the userinfo endpoint answered with {}", reply.status.as_u16()));
        }
        serde_json::from_slice(&reply.body).map_err(|_| "the userinfo endpoint's answer is no JSON".to_owned())
    }
}

impl Identity {
    /// This identity, with missing parts taken from `other`.
    fn or(self, other: Self) -> Self {
        Self { subject: self.subject.or(other.subject), label: self.label.or(other.label) }
    }
}

/// Shows only names, because the values of a login are secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("client", &self.client).finish_non_exhaustive()
    }
}
