//! Secrets that are easy to find, the values that hold them, and everything that was printed.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::events::Event;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, Secret, TokenSet};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::accounts::{day, wall};

/// A part of every secret, so that one search finds any.
pub(crate) const CANARY: &str = "c4n4ry";

pub(crate) fn secret(name: &str) -> String {
    format!("{CANARY}-{name}")
}

pub(crate) fn tokens() -> TokenSet {
    TokenSet::new(secret("access")).with_refresh(secret("refresh")).expires_at(day(Duration::ZERO))
}

pub(crate) fn subscription() -> Credential {
    Credential::new("a", tokens()).label("work").extra_header("x-account", secret("extra"))
}

pub(crate) fn key() -> Credential {
    Credential::new("k", Secret::new(secret("key"))).header("x-api-key")
}

/// A token endpoint that answers with this body.
pub(crate) fn oauth(status: u16, body: &'static str) -> OAuth2<ScriptedProvider, Full<Bytes>> {
    let endpoint = ScriptedProvider::new().otherwise(Reply::status(status).body(body));
    OAuth2::new("https://auth.example.com/token", "my-client", endpoint)
        .client_secret(secret("client"))
        .parameter("audience", secret("parameter"))
        .clock(wall())
}

/// Everything that was printed.
#[derive(Default)]
pub(crate) struct Shown(pub(crate) Vec<String>);

impl Shown {
    pub(crate) fn add(&mut self, value: &impl Debug) {
        self.0.push(format!("{value:?}"));
        self.0.push(format!("{value:#?}"));
    }

    pub(crate) fn add_error(&mut self, error: &BoxError) {
        self.add(error);
        let mut next = Some(&**error as &dyn std::error::Error);
        while let Some(error) = next {
            self.0.push(error.to_string());
            next = error.source();
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event) {
        self.add(event);
        self.0.push(event.to_string());
        self.0.push(serde_json::to_string(event).unwrap());
        self.add(&event.toast());
    }

    pub(crate) fn check(&self) {
        assert!(!self.0.is_empty());
        for text in &self.0 {
            assert!(!text.contains(CANARY), "a secret shows:\n{text}");
        }
    }
}
