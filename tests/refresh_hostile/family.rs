//! An OAuth server that revokes a login when one of its refresh tokens comes twice, and knows who sent which.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use oauth_marathon::TokenSet;

use crate::support::raw::bearer;
use crate::support::server::{Answer, Server, answer};

/// One login: its tokens are named after it and numbered.
#[derive(Debug, Default)]
struct Family {
    current: u32,
    revoked: bool,
    /// Which process has spent which refresh token.
    spent: HashMap<u32, String>,
    /// Which processes have sent which tokens.
    seen: HashMap<u32, HashSet<String>>,
}

/// A refresh token that came a second time.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "it is printed")]
pub(crate) struct Reuse {
    pub(crate) login: String,
    pub(crate) number: u32,
    pub(crate) first: String,
    pub(crate) second: String,
    /// The first sender was killed, and no other process has ever seen the new token: it was lost with the answer.
    pub(crate) died: bool,
}

#[derive(Debug, Default)]
struct State {
    families: HashMap<String, Family>,
    killed: HashSet<String>,
    reuses: Vec<Reuse>,
    refreshes: HashMap<String, usize>,
    served: usize,
    /// The processes that wait for an answer with tokens.
    asking: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Families(Arc<Mutex<State>>);

impl Families {
    pub(crate) async fn start(&self) -> Server {
        let serve = self.clone();
        Server::start(move |request| {
            let serve = serve.clone();
            async move { serve.answer(request).await }
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Logs in, or in again: the first tokens of a family that begins behind all that were there.
    pub(crate) fn log_in(&self, login: &str) -> TokenSet {
        let mut state = self.state();
        let family = state.families.entry(login.to_owned()).or_default();
        family.current += 100;
        family.revoked = false;
        TokenSet::new(format!("access.{login}.{}", family.current))
            .with_refresh(format!("refresh.{login}.{}", family.current))
            .expires_at(std::time::UNIX_EPOCH)
    }

    /// Notes that a process is about to be killed.
    pub(crate) fn killed(&self, process: &str) {
        self.state().killed.insert(process.to_owned());
    }

    pub(crate) fn reuses(&self) -> Vec<Reuse> {
        self.state().reuses.clone()
    }

    /// The number of the valid tokens, unless the login is revoked.
    pub(crate) fn current(&self, login: &str) -> Option<u32> {
        let state = self.state();
        state.families.get(login).filter(|family| !family.revoked).map(|family| family.current)
    }

    pub(crate) fn refreshes(&self) -> HashMap<String, usize> {
        self.state().refreshes.clone()
    }

    /// A process that waits for an answer with tokens, if there is one.
    pub(crate) fn asking(&self) -> Option<String> {
        self.state().asking.last().cloned()
    }

    pub(crate) fn served(&self) -> usize {
        self.state().served
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let token = bearer(request.headers());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        if path == "/token" {
            let form = std::str::from_utf8(&body).unwrap();
            let process = field(form, "process").to_owned();
            let _asking = Asking::new(self.clone(), process);
            pause().await;
            let answer = self.exchange(form);
            pause().await;
            return answer;
        }
        let process = path.trim_start_matches('/');
        let mut state = self.state();
        let (login, number) = parse(&token, "access");
        let family = state.families.get_mut(login).unwrap();
        family.seen.entry(number).or_default().insert(process.to_owned());
        if family.revoked || number > family.current {
            return answer(401, r#"{"error":"invalid_token"}"#);
        }
        state.served += 1;
        answer(200, "ok")
    }

    fn exchange(&self, form: &str) -> Answer {
        let process = field(form, "process").to_owned();
        let (login, number) = parse(field(form, "refresh_token"), "refresh");
        let mut state = self.state();
        let State { families, killed, reuses, refreshes, .. } = &mut *state;
        let family = families.get_mut(login).unwrap();
        family.seen.entry(number).or_default().insert(process.clone());
        if family.current == number && !family.revoked {
            family.current += 1;
            family.spent.insert(number, process);
            *refreshes.entry(login.to_owned()).or_default() += 1;
            let next = family.current;
            return answer(
                200,
                format!(
                    r#"{{"access_token":"access.{login}.{next}","refresh_token":"refresh.{login}.{next}","expires_in":2}}"#
                ),
            );
        }
        if !family.revoked {
            let first = family.spent.get(&number).cloned().unwrap_or_default();
            let is_known = |seen: &HashSet<String>| seen.iter().any(|process| *process != first);
            let died = killed.contains(&first) && !family.seen.get(&(number + 1)).is_some_and(is_known);
            reuses.push(Reuse { login: login.to_owned(), number, first, second: process, died });
            family.revoked = true;
        }
        answer(400, r#"{"error":"invalid_grant"}"#)
    }
}

/// A process that waits for an answer, until it has it or is gone.
struct Asking(Families, String);

impl Asking {
    fn new(families: Families, process: String) -> Self {
        families.state().asking.push(process.clone());
        Self(families, process)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let asking = &mut self.0.state().asking;
        asking.swap_remove(asking.iter().position(|other| *other == self.1).unwrap());
    }
}

/// As a server takes its time, before and after it has written the new tokens down.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..40))).await;
}

/// A field of a form without escapes, which these do not need.
fn field<'a>(form: &'a str, name: &str) -> &'a str {
    form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

/// `kind.login.number`.
fn parse<'a>(token: &'a str, kind: &str) -> (&'a str, u32) {
    let mut parts = token.split('.');
    assert_eq!(parts.next(), Some(kind), "a token of another kind was sent");
    (parts.next().unwrap(), parts.next().unwrap().parse().unwrap())
}
