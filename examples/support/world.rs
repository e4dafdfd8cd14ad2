//! What is true outside of the library: who the accounts are, which tokens are good, and what goes wrong.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

/// The accounts, as the provider and its OAuth server know them.
pub(crate) struct World {
    accounts: Mutex<Vec<Account>>,
    /// The codes of logins that are under way, and who each is for once that is known.
    pub(crate) codes: Mutex<HashMap<String, Option<String>>>,
    /// A permit for each word that may be sent.
    pub(crate) words: Semaphore,
    log: UnboundedSender<Seen>,
}

struct Account {
    name: String,
    /// How many token sets it has had. The last one is good.
    issued: usize,
    trouble: Trouble,
}

/// What the provider has against an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// 429, and the account may come back after these seconds.
    Limited(u64),
    /// 200 and a stream, whose first event says that the account is over its limit.
    LimitedInStream,
    /// An answer of its own, with this status and this body.
    Says(u16, &'static str),
    /// So many requests find their connection closed before an answer.
    Breaks(u32),
    /// The present access token is not accepted any more.
    Expired,
    /// The login is revoked: its tokens are not accepted, and the OAuth server hands out no new ones.
    Revoked,
}

/// What the provider saw and did.
pub(crate) struct Seen {
    /// `provider`, or `oauth` for its OAuth server.
    pub(crate) server: &'static str,
    pub(crate) account: String,
    pub(crate) did: String,
}

impl World {
    pub(crate) fn new(names: &[&str], log: UnboundedSender<Seen>) -> Self {
        let account = |name: &&str| Account { name: (*name).to_owned(), issued: 1, trouble: Trouble::Nothing };
        let accounts = names.iter().map(account).collect();
        Self { accounts: Mutex::new(accounts), codes: Mutex::default(), words: Semaphore::new(0), log }
    }

    /// The good access token of an account, and its refresh token.
    pub(crate) fn tokens_of(&self, name: &str) -> Option<(String, String)> {
        let accounts = self.accounts();
        accounts.iter().find(|account| account.name == name).map(Account::tokens)
    }

    /// New tokens for an account that logs in. A stranger gets an account.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let mut accounts = self.accounts();
        let known = accounts.iter().position(|account| account.name == name).unwrap_or_else(|| {
            accounts.push(Account { name: name.to_owned(), issued: 0, trouble: Trouble::Nothing });
            accounts.len() - 1
        });
        accounts[known].issue()
    }

    pub(crate) fn trouble(&self, name: &str, trouble: Trouble) {
        if let Some(account) = self.accounts().iter_mut().find(|account| account.name == name) {
            account.trouble = trouble;
        }
    }

    /// The account that a request comes from, by its token or its key, and what the provider has against it.
    pub(crate) fn sender_of(&self, headers: &HeaderMap) -> Option<(String, Trouble)> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        let key = text("x-api-key");
        let mut accounts = self.accounts();
        let account = accounts.iter_mut().find(|account| match token {
            Some(token) => token == account.access(),
            None => key == Some(&format!("{}-key", account.name)),
        })?;
        let trouble = account.trouble;
        if let Trouble::Breaks(left) = trouble {
            account.trouble = if left > 1 { Trouble::Breaks(left - 1) } else { Trouble::Nothing };
        }
        Some((account.name.clone(), trouble))
    }

    /// Exchanges a refresh token, which works once: the account's name, and its new tokens unless it is revoked.
    pub(crate) fn exchange(&self, refresh: &str) -> Option<(String, Option<(String, String)>)> {
        let mut accounts = self.accounts();
        let account = accounts.iter_mut().find(|account| account.refresh() == refresh)?;
        let tokens = (account.trouble != Trouble::Revoked).then(|| account.issue());
        Some((account.name.clone(), tokens))
    }

    pub(crate) fn log(&self, server: &'static str, account: &str, did: impl fmt::Display) {
        // At the end of an example there is no listener.
        let _ = self.log.send(Seen { server, account: account.to_owned(), did: did.to_string() });
    }

    /// Whether a token of any account stands in this text.
    pub(crate) fn leaks_in(&self, text: &str) -> bool {
        self.accounts().iter().any(|Account { name, .. }| {
            [format!("{name}-access-"), format!("{name}-refresh-")].iter().any(|token| text.contains(token))
        })
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn tokens(&self) -> (String, String) {
        (self.access(), self.refresh())
    }

    fn access(&self) -> String {
        format!("{}-access-{}", self.name, self.issued)
    }

    fn refresh(&self) -> String {
        format!("{}-refresh-{}", self.name, self.issued)
    }

    /// New tokens, with which an expired account is well again.
    fn issue(&mut self) -> (String, String) {
        self.issued += 1;
        self.trouble = Trouble::Nothing;
        self.tokens()
    }
}
