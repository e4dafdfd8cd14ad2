//! The outcome of one scripted exchange.

use std::time::Duration;

use oauth_marathon::TokenSet;
use oauth_marathon::tokens::refresh::RefreshError;

/// The outcome of one exchange of [`ScriptedTokens`](super::ScriptedTokens).
///
/// ```
/// use oauth_marathon_test::{Grant, ScriptedTokens};
/// use std::time::Duration;
///
/// // Busy twice, then slow, and from then on at once.
/// let tokens = ScriptedTokens::new().on("work", [Grant::busy(), Grant::busy(), Grant::fresh().after(Duration::from_secs(5))]);
/// # let _ = tokens;
/// ```
#[derive(Debug, Clone)]
pub struct Grant {
    what: What,
    after: Duration,
    yields: bool,
}

#[derive(Debug, Clone)]
enum What {
    Fresh,
    Tokens(TokenSet),
    Error(RefreshError),
    Silence,
    Panic,
}

impl Grant {
    /// Grants fresh tokens.
    #[must_use]
    pub fn fresh() -> Self {
        Self::new(What::Fresh)
    }

    /// Grants these tokens.
    #[must_use]
    pub fn tokens(tokens: TokenSet) -> Self {
        Self::new(What::Tokens(tokens))
    }

    /// Fails with this error.
    #[must_use]
    pub fn error(error: RefreshError) -> Self {
        Self::new(What::Error(error))
    }

    /// Refuses for good: the account needs a login.
    #[must_use]
    pub fn refused() -> Self {
        Self::error(RefreshError::login_needed("scripted: the refresh token was revoked"))
    }

    /// Fails for now; a later exchange may work.
    #[must_use]
    pub fn busy() -> Self {
        Self::error(RefreshError::transient("scripted: the server is busy"))
    }

    /// Never answers.
    #[must_use]
    pub fn pending() -> Self {
        Self::new(What::Silence)
    }

    /// Lets the token source panic.
    #[must_use]
    pub fn panic() -> Self {
        Self::new(What::Panic)
    }

    /// The same outcome, after this time on tokio's clock.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// The same outcome, at the next poll, so that other tasks run in between.
    #[must_use]
    pub fn yielding(mut self) -> Self {
        self.yields = true;
        self
    }

    /// Waits as the grant says, and gives the outcome. `fresh` makes fresh tokens.
    #[allow(clippy::panic, reason = "the script asks for it")]
    pub(super) async fn give(self, fresh: impl FnOnce() -> TokenSet + Send) -> Result<TokenSet, RefreshError> {
        if self.yields {
            tokio::task::yield_now().await;
        }
        if !self.after.is_zero() {
            tokio::time::sleep(self.after).await;
        }
        match self.what {
            What::Fresh => Ok(fresh()),
            What::Tokens(tokens) => Ok(tokens),
            What::Error(error) => Err(error),
            What::Silence => std::future::pending().await,
            What::Panic => panic!("scripted: the token source panics"),
        }
    }

    fn new(what: What) -> Self {
        Self { what, after: Duration::ZERO, yields: false }
    }
}
