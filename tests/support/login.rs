//! A scripted OAuth server for logins: it gives one answer after the other, and records the requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::Login;
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};
use tokio::time::Instant;

pub(crate) fn says(status: u16, body: &str) -> Reply {
    Reply::status(status).body(body.to_owned())
}

/// A recorded request: its path, its body, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) at: Duration,
}

/// The scripted server. Clones share the script.
#[derive(Clone)]
pub(crate) struct Script {
    server: ScriptedProvider,
    begun: Instant,
}

impl Script {
    /// A server that gives these answers in turn. A request beyond the last one panics.
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = ScriptedProvider::new().otherwise(Reply::panic());
        Self { server: replies.into_iter().fold(server, ScriptedProvider::then), begun: Instant::now() }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        let asked = |request: Recorded| Asked {
            path: request.head.uri().path().to_owned(),
            body: String::from_utf8(request.body.unwrap_or_default().to_vec()).unwrap(),
            headers: request.head.headers().clone(),
            at: request.at - self.begun,
        };
        self.server.requests().into_iter().map(asked).collect()
    }

    /// A login at this server.
    pub(crate) fn login(&self) -> Login {
        let mut server = OAuthServer::default();
        server.token_url = Some("https://auth.example.com/token".to_owned());
        server.authorization_url = Some("https://auth.example.com/authorize?tenant=1".to_owned());
        server.device_authorization_url = Some("https://auth.example.com/device".to_owned());
        server.client_id = Some("my-client".to_owned());
        server.scopes = vec!["openid".to_owned(), "offline_access".to_owned()];
        self.login_at(server)
    }

    pub(crate) fn login_at(&self, server: OAuthServer) -> Login {
        Login::new::<_, Full<Bytes>, _>(server, self.server.clone())
    }
}

/// The value of a field in a form or in a URL's query, decoded.
pub(crate) fn value(form: &str, name: &str) -> Option<String> {
    let form = form.split_once('?').map_or(form, |(_, query)| query);
    let (_, value) = form_urlencoded::parse(form.as_bytes()).find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

/// The callback that answers a login with this query, and with its state.
pub(crate) fn callback(url: &str, query: &str) -> String {
    format!("{}?{query}&state={}", value(url, "redirect_uri").unwrap(), value(url, "state").unwrap())
}
