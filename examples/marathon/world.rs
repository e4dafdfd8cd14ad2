//! What is true outside of the library: who the accounts are, which tokens are good, and what goes wrong.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oauth_marathon::TokenSet;
use tokio::sync::mpsc::UnboundedSender;

/// The accounts, as the provider and its OAuth server know them.
pub(crate) struct World {
    accounts: Mutex<Vec<Account>>,
    log: UnboundedSender<Seen>,
}

struct Account {
    name: &'static str,
    access: String,
    refresh: String,
    trouble: Trouble,
    /// All tokens that it ever had.
    issued: Vec<String>,
}

/// What the provider has against an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// 429, and the account may come back after these seconds.
    Limited(u64),
    /// So many requests find their connection closed before an answer.
    Breaks(u32),
    /// The present access token is not accepted any more.
    Expired,
    /// The login is revoked: its tokens are not accepted, and the OAuth server hands out no new ones.
    Revoked,
}

/// What a server saw and did.
pub(crate) struct Seen {
    pub(crate) server: &'static str,
    pub(crate) account: String,
    pub(crate) did: String,
}

impl World {
    pub(crate) fn new(names: &[&'static str], log: UnboundedSender<Seen>) -> Self {
        let world = Self { accounts: Mutex::default(), log };
        for &name in names {
            let mut account = Account {
                name,
                access: String::new(),
                refresh: String::new(),
                trouble: Trouble::Nothing,
                issued: vec![],
            };
            account.issue();
            world.accounts().push(account);
        }
        world
    }

    /// The tokens of an account, as a login would have brought them.
    pub(crate) fn login(&self, name: &str) -> TokenSet {
        let accounts = self.accounts();
        let account = accounts.iter().find(|account| account.name == name).expect("one of the three");
        TokenSet::new(account.access.as_str()).with_refresh(account.refresh.as_str())
    }

    pub(crate) fn set_trouble(&self, name: &str, trouble: Trouble) {
        if let Some(account) = self.accounts().iter_mut().find(|account| account.name == name) {
            account.trouble = trouble;
        }
    }

    /// The account with this access token, and what the provider has against it.
    pub(crate) fn by_access(&self, token: &str) -> Option<(&'static str, Trouble)> {
        let mut accounts = self.accounts();
        let account = accounts.iter_mut().find(|account| account.access == token)?;
        let trouble = account.trouble;
        if let Trouble::Breaks(left) = trouble {
            account.trouble = if left > 1 { Trouble::Breaks(left - 1) } else { Trouble::Nothing };
        }
        Some((account.name, trouble))
    }

    /// Exchanges a refresh token, which works once: the account's name, and its new tokens unless it is revoked.
    pub(crate) fn exchange(&self, refresh: &str) -> Option<(&'static str, Option<(String, String)>)> {
        let mut accounts = self.accounts();
        let account = accounts.iter_mut().find(|account| account.refresh == refresh)?;
        if account.trouble == Trouble::Revoked {
            return Some((account.name, None));
        }
        account.trouble = Trouble::Nothing;
        account.issue();
        Some((account.name, Some((account.access.clone(), account.refresh.clone()))))
    }

    pub(crate) fn log(&self, server: &'static str, account: &str, did: impl fmt::Display) {
        // After the last scene there is no listener.
        let _ = self.log.send(Seen { server, account: account.to_owned(), did: did.to_string() });
    }

    /// Whether a token of any account stands in this text.
    pub(crate) fn leaks_in(&self, text: &str) -> bool {
        self.accounts().iter().flat_map(|account| &account.issued).any(|token| text.contains(token))
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn issue(&mut self) {
        self.access = format!("{:032x}", fastrand::u128(..));
        self.refresh = format!("{:032x}", fastrand::u128(..));
        self.issued.extend([self.access.clone(), self.refresh.clone()]);
    }
}
