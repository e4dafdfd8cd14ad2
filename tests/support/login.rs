//! An OAuth server by script for logins: one answer after the other, and a note of what was asked.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::OAuthServer;
use oauth_marathon::login::Login;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::service_fn;

/// What the server does next.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Answer(u16, String),
    /// The same, with `Retry-After`.
    After(u16, u64),
    /// The same, once the gate has a permit.
    Held(Arc<Semaphore>, u16, String),
    /// No answer ever.
    Hang,
    Break,
}

pub(crate) fn says(status: u16, body: &str) -> Act {
    Act::Answer(status, body.to_owned())
}

/// A request as it came: its path, its body, and when.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) at: Duration,
}

/// The server. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    begun: Instant,
}

impl Script {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts = Arc::new(Mutex::new(acts.into_iter().collect()));
        Self { acts, asked: Arc::default(), begun: Instant::now() }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
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
        let script = self.clone();
        let http = service_fn(move |request: Request<Full<Bytes>>| {
            let script = script.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                let (path, at) = (head.uri.path().to_owned(), script.begun.elapsed());
                script.asked.lock().unwrap().push(Asked { path, body, headers: head.headers, at });
                let act = script.acts.lock().unwrap().pop_front().expect("the script goes on");
                let (status, body, retry_after) = match act {
                    Act::Answer(status, body) => (status, body, None),
                    Act::Held(gate, status, body) => {
                        gate.acquire().await.unwrap().forget();
                        (status, body, None)
                    }
                    Act::After(status, seconds) => (status, String::new(), Some(seconds)),
                    Act::Hang => std::future::pending().await,
                    Act::Break => return Err(std::io::Error::other("reset")),
                };
                let mut answer = Response::builder().status(status);
                if let Some(seconds) = retry_after {
                    answer = answer.header("retry-after", seconds);
                }
                Ok(answer.body(Full::<Bytes>::from(body)).unwrap())
            }
        });
        Login::new(server, http)
    }
}

/// A value of a form or of a URL's query, decoded as far as tests need it.
pub(crate) fn value(form: &str, name: &str) -> Option<String> {
    let form = form.split_once('?').map_or(form, |(_, query)| query);
    let pair = form.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(pair.1.replace("%3A", ":").replace("%2F", "/").replace('+', " "))
}

/// The callback that answers a login with this query, and with its state.
pub(crate) fn callback(url: &str, query: &str) -> String {
    format!("{}?{query}&state={}", value(url, "redirect_uri").unwrap(), value(url, "state").unwrap())
}
