//! A token source that grants by script.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};
use oauth_marathon::{CredentialId, TokenSet};
use tokio::sync::watch;
use tokio::time::Instant;

use super::grant::Grant;

/// A token source that refreshes tokens by script: each credential has its own, and its n-th exchange gets the n-th
/// grant. Once a script is over, and without one, tokens are fresh. Clones share the scripts and the record.
///
/// A fresh token is the old one with a `+`: `t` becomes `t+`, and its refresh token `r` becomes `r+`; it does not expire.
/// [`fresh_as`](ScriptedTokens::fresh_as) makes others.
///
/// ```
/// use http_body_util::Full;
/// use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
/// use oauth_marathon::{Credential, MarathonLayer, Pool, TokenSet};
/// use tower::{Layer, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let login = |id: &str| Credential::new(id, TokenSet::new(format!("t-{id}")).with_refresh(format!("r-{id}")));
/// let tokens = ScriptedTokens::new().on("work", [Grant::refused()]);
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credentials([login("work"), login("home")])
///     .token_source(tokens.clone())
///     .build()?;
/// let provider = ScriptedProvider::new().always("t-work", Reply::status(401)).always("t-home", Reply::status(401));
/// let client = MarathonLayer::new(pool).layer(provider.clone());
/// let request = http::Request::post("https://api.example.com/v1/chat").body(Full::<bytes::Bytes>::from("{}"))?;
/// assert_eq!(client.oneshot(request).await?.status(), 200);
/// assert_eq!(provider.tokens(), ["t-work", "t-home", "t-home+"]);
/// assert_eq!(tokens.spent(), ["r-work", "r-home"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ScriptedTokens(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    open: watch::Sender<bool>,
}

type FreshAs = dyn Fn(&Exchange) -> TokenSet + Send + Sync;
type Answering = dyn Fn(&Exchange) -> Option<Grant> + Send + Sync;

#[derive(Default)]
struct State {
    scripts: HashMap<CredentialId, Script>,
    otherwise: Option<Grant>,
    fresh_as: Option<Arc<FreshAs>>,
    answering: Option<Arc<Answering>>,
    exchanges: Vec<Exchange>,
    granted: usize,
}

#[derive(Default)]
struct Script {
    grants: VecDeque<Grant>,
    always: Option<Grant>,
}

/// One exchange of [`ScriptedTokens`], as recorded.
///
/// ```
/// use oauth_marathon::TokenSet;
/// use oauth_marathon::tokens::refresh::{RefreshRequest, TokenSource};
/// use oauth_marathon_test::ScriptedTokens;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let tokens = ScriptedTokens::new();
/// tokens.refresh(RefreshRequest::new("openai", "work", TokenSet::new("t").with_refresh("r"))).await?;
/// let exchange = &tokens.exchanges()[0];
/// assert_eq!((exchange.number, exchange.credential.as_str()), (1, "work"));
/// assert_eq!(exchange.tokens.access().expose(), "t");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The number of the exchange, from 1, over all credentials.
    pub number: usize,
    /// The credential whose tokens were to be refreshed.
    pub credential: CredentialId,
    /// The tokens that were to be refreshed.
    pub tokens: TokenSet,
    /// When the exchange began, on tokio's clock.
    pub at: Instant,
}

impl ScriptedTokens {
    /// A source without a script: every exchange grants fresh tokens.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), open: watch::Sender::new(true) }))
    }

    /// Adds grants to the script of a credential.
    #[must_use]
    pub fn on(self, credential: &str, grants: impl IntoIterator<Item = Grant>) -> Self {
        self.state().scripts.entry(credential.into()).or_default().grants.extend(grants);
        self
    }

    /// Sets the grant that a credential gets each time once its script is over.
    #[must_use]
    pub fn always(self, credential: &str, grant: Grant) -> Self {
        self.state().scripts.entry(credential.into()).or_default().always = Some(grant);
        self
    }

    /// Changes the script in the middle of a test: from now on this credential gets this grant each time, and what is left of
    /// its script is dropped.
    pub fn set(&self, credential: &str, grant: Grant) {
        self.state().scripts.insert(credential.into(), Script { grants: VecDeque::new(), always: Some(grant) });
    }

    /// Sets the grant for exchanges that no script answers.
    #[must_use]
    pub fn otherwise(self, grant: Grant) -> Self {
        self.state().otherwise = Some(grant);
        self
    }

    /// Sets how fresh tokens are made, for example with an expiry, in place of those with a `+`.
    #[must_use]
    pub fn fresh_as(self, make: impl Fn(&Exchange) -> TokenSet + Send + Sync + 'static) -> Self {
        self.state().fresh_as = Some(Arc::new(make));
        self
    }

    /// Lets `answer` answer before all scripts; `None` leaves the exchange to them.
    #[must_use]
    pub fn answering(self, answer: impl Fn(&Exchange) -> Option<Grant> + Send + Sync + 'static) -> Self {
        self.state().answering = Some(Arc::new(answer));
        self
    }

    /// Holds all exchanges until [`release`](ScriptedTokens::release) is called. They are recorded when they begin.
    pub fn hold(&self) {
        self.0.open.send_replace(false);
    }

    /// Lets held exchanges, and all later ones, go on.
    pub fn release(&self) {
        self.0.open.send_replace(true);
    }

    /// The exchanges so far, in the order in which they began.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().exchanges.clone()
    }

    /// The refresh token of each exchange so far; empty if it had none.
    #[must_use]
    pub fn spent(&self) -> Vec<String> {
        let spent = |exchange: &Exchange| exchange.tokens.refresh().map(|refresh| refresh.expose().to_owned());
        self.state().exchanges.iter().map(|exchange| spent(exchange).unwrap_or_default()).collect()
    }

    /// The credential of each exchange so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.state().exchanges.iter().map(|exchange| exchange.credential.to_string()).collect()
    }

    /// How many token sets were granted.
    #[must_use]
    pub fn granted(&self) -> usize {
        self.state().granted
    }

    fn begin(&self, request: &RefreshRequest) -> (Exchange, Grant) {
        let mut state = self.state();
        let exchange = Exchange {
            number: state.exchanges.len() + 1,
            credential: request.credential().clone(),
            tokens: request.tokens().clone(),
            at: Instant::now(),
        };
        state.exchanges.push(exchange.clone());
        let answering = state.answering.clone();
        drop(state);
        // Called outside of the lock, so that the closure may read the exchanges.
        let own = answering.and_then(|answer| answer(&exchange));
        let grant = own.unwrap_or_else(|| self.scripted(&exchange.credential));
        (exchange, grant)
    }

    fn scripted(&self, credential: &CredentialId) -> Grant {
        let mut state = self.state();
        let script = state.scripts.get_mut(credential);
        let scripted = script.and_then(|script| script.grants.pop_front().or_else(|| script.always.clone()));
        scripted.or_else(|| state.otherwise.clone()).unwrap_or_else(Grant::fresh)
    }

    fn fresh(&self, exchange: &Exchange) -> TokenSet {
        let make = self.state().fresh_as.clone();
        make.map_or_else(|| next(&exchange.tokens), |make| make(exchange))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next(old: &TokenSet) -> TokenSet {
    let new = TokenSet::new(format!("{}+", old.access().expose()));
    match old.refresh() {
        Some(refresh) => new.with_refresh(format!("{}+", refresh.expose())),
        None => new,
    }
}

impl TokenSource for ScriptedTokens {
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let (exchange, grant) = self.begin(&request);
        // This cannot fail, because the sender lives as long as this source.
        let _ = self.0.open.subscribe().wait_for(|open| *open).await;
        let tokens = grant.give(|| self.fresh(&exchange)).await?;
        self.state().granted += 1;
        Ok(tokens)
    }
}

impl Default for ScriptedTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScriptedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedTokens").field("exchanges", &self.state().exchanges).finish_non_exhaustive()
    }
}
