//! The other side: an OAuth server that takes each refresh token once, and a provider that takes its access tokens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use shuttle::rand::{Rng, thread_rng};

use crate::credentials::Credential;
use crate::credentials::TokenSet;
use crate::sync::atomic::AtomicU32;
use crate::sync::time;
use crate::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};

/// How long an access token lasts.
pub(super) const LIFE: Duration = Duration::from_secs(3600);

/// The time of day.
pub(super) fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_900_000_000) + time::elapsed()
}

/// The OAuth server and the provider. Clones share one state.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    /// Whether a refresh ends the access token before it.
    ends_old: bool,
    issued: u32,
    /// The refresh tokens that are still good, and the credential of each.
    open: HashMap<String, String>,
    /// The refresh tokens that were sent, in their order.
    sent: Vec<String>,
    /// The access tokens that are taken, and until when.
    taken: HashMap<String, SystemTime>,
    /// How many requests over a credential are still to be throttled.
    limited: HashMap<String, u32>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A server whose refreshes end the earlier access token.
    pub(super) fn strict() -> Self {
        let server = Self::new();
        server.books().ends_old = true;
        server
    }

    /// The server's state. No step of another task falls within the lock, because that is not what is tested.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login: a credential whose access token is good for this long.
    pub(super) fn login(&self, id: &str, life: Duration) -> Credential {
        Credential::new(id, self.books().issue(id, life))
    }

    /// Ends all access tokens that were issued so far.
    pub(super) fn end_access_tokens(&self) {
        self.books().taken.clear();
    }

    /// Throttles the next `times` requests over this credential.
    pub(super) fn limit(&self, id: &str, times: u32) {
        self.books().limited.insert(id.to_owned(), times);
    }

    /// How many refresh tokens were sent.
    pub(super) fn exchanges(&self) -> usize {
        self.books().sent.len()
    }

    /// The refresh tokens that were sent more than once.
    pub(super) fn sent_twice(&self) -> Vec<String> {
        let books = self.books();
        let again = books.sent.iter().enumerate().filter(|(at, token)| books.sent[..*at].contains(token));
        again.map(|(_, token)| token.clone()).collect()
    }

    pub(super) fn is_open(&self, refresh: &str) -> bool {
        self.books().open.contains_key(refresh)
    }

    /// The provider's answer to a request.
    pub(super) async fn answer(self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        travel().await;
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (status, text) = self.books().judge(token.trim_start_matches("Bearer "));
        travel().await;
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert("retry-after", "20".parse().unwrap());
        }
        Ok(response)
    }
}

impl Books {
    fn issue(&mut self, id: &str, life: Duration) -> TokenSet {
        self.issued += 1;
        let (access, refresh) = (format!("at-{id}-{}", self.issued), format!("rt-{id}-{}", self.issued));
        self.open.insert(refresh.clone(), id.to_owned());
        let end = wall() + life;
        self.taken.insert(access.clone(), end);
        TokenSet::new(access).with_refresh(refresh).expires_at(end)
    }

    fn judge(&mut self, access: &str) -> (StatusCode, &'static str) {
        let id = access.split('-').nth(1).unwrap_or_default();
        if self.taken.get(access).is_none_or(|end| *end <= wall()) {
            return (StatusCode::UNAUTHORIZED, r#"{"error":{"code":"invalid_token"}}"#);
        }
        match self.limited.get_mut(id) {
            Some(times) if *times > 0 => {
                *times -= 1;
                // The first is of one model, the second of the whole account.
                let codes =
                    [r#"{"error":{"code":"rate_limit_exceeded"}}"#, r#"{"error":{"code":"usage_limit_reached"}}"#];
                (StatusCode::TOO_MANY_REQUESTS, codes[thread_rng().gen_range(0..codes.len())])
            }
            _ => (StatusCode::OK, "{}"),
        }
    }
}

impl TokenSource for Server {
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        travel().await;
        let refresh = request.tokens().refresh().map(|token| token.expose().to_owned()).unwrap_or_default();
        let answer = {
            let mut books = self.books();
            books.sent.push(refresh.clone());
            match books.open.remove(&refresh) {
                None => Err(RefreshError::login_needed("the refresh token is spent")),
                Some(id) => {
                    if books.ends_old {
                        books.taken.retain(|token, _| token.split('-').nth(1) != Some(&*id));
                    }
                    Ok(books.issue(&id, LIFE))
                }
            }
        };
        travel().await;
        answer
    }
}

/// Stands for the way of a request or an answer: other tasks run meanwhile, for a few steps or for as long as they can.
async fn travel() {
    match thread_rng().gen_range(0..4) {
        0 => time::sleep(Duration::from_millis(30)).await,
        steps => {
            let line = AtomicU32::new(0);
            for _ in 0..steps {
                line.fetch_add(1, Relaxed);
            }
        }
    }
}
