//! An OAuth server inside the test: it grants new tokens by script, and remembers who asked when.
//!
//! Each new token is the old one with a `+`: `a` becomes `a+`, `refresh-a` becomes `refresh-a+`.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oauth_marathon::TokenSet;
use oauth_marathon::refresh::{RefreshError, RefreshRequest, TokenSource};
use tokio::time::Instant;

/// One line of a script.
#[derive(Clone)]
pub enum Grant {
    Fresh,
    /// Fresh, that much later.
    Slow(Duration),
    /// The refresh token is of no more use.
    Refused,
    /// Not now.
    Busy,
    Panics,
    /// Fresh, but a token that no header can carry.
    Malformed,
    /// That, that much later.
    Late(Duration, &'static Grant),
}

#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    scripts: HashMap<String, Vec<Grant>>,
    asked: Vec<(String, Instant)>,
    granted: usize,
}

impl Tokens {
    pub fn new() -> Self {
        Self::default()
    }

    /// The script of one credential; its last line is repeated. Without one, everybody gets fresh tokens.
    pub fn on(self, credential: &str, script: impl IntoIterator<Item = Grant>) -> Self {
        let script: Vec<_> = script.into_iter().collect();
        self.book().scripts.insert(credential.to_owned(), script.into_iter().rev().collect());
        self
    }

    /// Which credentials were to be refreshed, in order.
    pub fn asked(&self) -> Vec<String> {
        self.book().asked.iter().map(|(credential, _)| credential.clone()).collect()
    }

    /// When a credential was to be refreshed.
    pub fn times(&self, credential: &str) -> Vec<Instant> {
        self.book().asked.iter().filter(|(asked, _)| asked == credential).map(|(_, at)| *at).collect()
    }

    /// How many new tokens went out.
    pub fn granted(&self) -> usize {
        self.book().granted
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().expect("no panic while it was held")
    }

    fn next(&self, credential: &str) -> Grant {
        let mut book = self.book();
        book.asked.push((credential.to_owned(), Instant::now()));
        match book.scripts.get_mut(credential) {
            Some(script) if script.len() > 1 => script.pop(),
            Some(script) => script.last().cloned(),
            None => None,
        }
        .unwrap_or(Grant::Fresh)
    }
}

impl TokenSource for Tokens {
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let mut grant = self.next(request.credential().as_str());
        if let Grant::Late(delay, late) = grant {
            tokio::time::sleep(delay).await;
            grant = late.clone();
        }
        let mark = match grant {
            Grant::Slow(delay) => {
                tokio::time::sleep(delay).await;
                "+"
            }
            Grant::Refused => return Err(RefreshError::login_needed("the refresh token was revoked")),
            Grant::Busy => return Err(RefreshError::transient("the server is busy")),
            Grant::Panics => panic!("a token source that panics"),
            Grant::Malformed => "\n",
            Grant::Fresh | Grant::Late(..) => "+",
        };
        self.book().granted += 1;
        let old = request.tokens();
        let refresh = old.refresh().expect("only what has one is refreshed").expose();
        let access = old.access().expose().trim_end();
        Ok(TokenSet::new(format!("{access}{mark}")).with_refresh(format!("{refresh}+")))
    }
}
