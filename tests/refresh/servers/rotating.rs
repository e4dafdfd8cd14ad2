//! An OAuth server that takes each refresh token once, and revokes the whole family if one comes twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::support::raw::bearer;
use crate::support::server::{Answer, Server, answer};

/// One account: tokens are named after it and numbered.
#[derive(Debug, Default)]
struct Family {
    /// The number of the valid tokens.
    current: u32,
    /// The access token has expired, whatever was said of its life.
    expired: bool,
    revoked: bool,
}

/// What the server has seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) refreshes: usize,
    pub(crate) reuses: usize,
    pub(crate) unauthorized: usize,
    pub(crate) served: usize,
}

#[derive(Debug, Default)]
struct State {
    families: HashMap<String, Family>,
    counts: Counts,
}

/// The token endpoint at `/token`, a place to wait for others at `/together`, and a provider everywhere else that takes the
/// current access tokens.
#[derive(Clone)]
pub(crate) struct Rotating {
    state: Arc<Mutex<State>>,
    /// Refusals are held back until this many have come together.
    together: Arc<tokio::sync::Barrier>,
}

impl Rotating {
    /// A server whose 401s come in batches of `together`.
    pub(crate) async fn start(together: usize) -> (Self, Server) {
        let rotating = Self::new(together);
        let serve = rotating.clone();
        let server = Server::start(move |request| {
            let serve = serve.clone();
            async move { serve.answer(request).await }
        })
        .await;
        (rotating, server)
    }

    /// The same without a server of its own.
    pub(crate) fn new(together: usize) -> Self {
        Self { state: Arc::default(), together: Arc::new(tokio::sync::Barrier::new(together)) }
    }

    /// Opens an account whose valid tokens have this number.
    pub(crate) fn open(&self, account: &str, current: u32) {
        let family = Family { current, expired: false, revoked: false };
        self.state.lock().unwrap().families.insert(account.to_owned(), family);
    }

    /// Ends the life of the account's access token.
    pub(crate) fn expire(&self, account: &str) {
        self.state.lock().unwrap().families.get_mut(account).unwrap().expired = true;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state.lock().unwrap().counts.clone()
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() == "/token" {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            return self.exchange(&body);
        }
        if request.uri().path() == "/together" {
            self.together.wait().await;
            return answer(200, "all are here");
        }
        let accepted = self.accepts(&bearer(request.headers()));
        let _ = request.into_body().collect().await;
        if accepted {
            return answer(200, "ok");
        }
        self.together.wait().await;
        answer(401, r#"{"error":"invalid_token"}"#)
    }

    fn accepts(&self, token: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        let (account, number) = parse(token, "access");
        let accepted = state
            .families
            .get(account)
            .is_some_and(|known| !known.revoked && !known.expired && known.current == number);
        let counts = &mut state.counts;
        *if accepted { &mut counts.served } else { &mut counts.unauthorized } += 1;
        accepted
    }

    fn exchange(&self, form: &Bytes) -> Answer {
        let fields: HashMap<_, _> = form_urlencoded::parse(form).into_owned().collect();
        assert_eq!((fields["grant_type"].as_str(), fields["client_id"].as_str()), ("refresh_token", "my-client"));
        let (account, number) = parse(&fields["refresh_token"], "refresh");
        let mut state = self.state.lock().unwrap();
        let State { families, counts } = &mut *state;
        counts.refreshes += 1;
        let family = families.get_mut(account).unwrap();
        if family.current != number {
            counts.reuses += 1;
            family.revoked = true;
        }
        if family.revoked {
            return answer(400, r#"{"error":"invalid_grant"}"#);
        }
        family.current += 1;
        family.expired = false;
        let next = family.current;
        let body = format!(
            r#"{{"access_token":"access.{account}.{next}","refresh_token":"refresh.{account}.{next}","token_type":"Bearer","expires_in":3600}}"#
        );
        answer(200, body)
    }
}

/// `kind.account.number`.
fn parse<'a>(token: &'a str, kind: &str) -> (&'a str, u32) {
    let mut parts = token.split('.');
    assert_eq!(parts.next(), Some(kind), "a token of another kind was sent");
    (parts.next().unwrap(), parts.next().unwrap().parse().unwrap())
}
