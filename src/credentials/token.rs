//! OAuth token sets and the generation that tells an old one from its successor.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::credentials::Secret;

/// What an OAuth server hands out for one account: an access token, and what is needed to refresh it.
///
/// ```
/// use oauth_marathon::TokenSet;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let tokens = TokenSet::new("access").with_refresh("refresh").expires_at(UNIX_EPOCH + Duration::from_secs(1_900_000_000));
/// assert!(tokens.refresh().is_some());
/// assert!(!format!("{tokens:?}").contains("refresh-"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSet {
    access: Secret,
    refresh: Option<Secret>,
    expires_at: Option<SystemTime>,
}

impl TokenSet {
    /// A token set with an access token alone. It is used until the provider refuses it.
    pub fn new(access: impl Into<Secret>) -> Self {
        Self { access: access.into(), refresh: None, expires_at: None }
    }

    /// Adds the refresh token.
    #[must_use]
    pub fn with_refresh(mut self, refresh: impl Into<Secret>) -> Self {
        self.refresh = Some(refresh.into());
        self
    }

    /// Sets when the access token expires. Without it, only an answer of the provider shows that it has expired.
    #[must_use]
    pub fn expires_at(mut self, when: SystemTime) -> Self {
        self.expires_at = Some(when);
        self
    }

    /// The set as it was handed out at `now`. If it lives for less than a second, the server made a mistake, and the
    /// expiry counts as unknown.
    pub(crate) fn issued(mut self, now: SystemTime) -> Self {
        self.expires_at =
            self.expires_at.filter(|expiry| expiry.duration_since(now).is_ok_and(|life| life.as_secs() > 0));
        self
    }

    /// The access token.
    #[must_use]
    pub fn access(&self) -> &Secret {
        &self.access
    }

    /// The refresh token, if there is one.
    #[must_use]
    pub fn refresh(&self) -> Option<&Secret> {
        self.refresh.as_ref()
    }

    /// When the access token expires, if that is known.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

/// The generation of a token set: it rises with each change, so that a later token set has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Generation(u64);

impl Generation {
    /// The generation of a secret that is new.
    pub const FIRST: Self = Self(1);

    /// A generation from the number that a store has kept.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The next generation, which the token set after this one has. In a [`Store`](crate::store::Store), a record that
    /// is put again after it was removed has at least this generation.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The count itself, starting at 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
