//! The provider of all examples: accounts, an API and an OAuth server, on a free port of this machine.
//!
//! It is a real HTTP server, so that an example has what a program has. What goes wrong is told by [`Provider::trouble`].
//!
//! | path | what it does |
//! |---|---|
//! | `/v1/chat` | answers `hello` with `work says hello` |
//! | `/v1/stream` | answers with the words of the prompt, an event for each |
//! | `/moved?to=URL` | redirects to another server |
//! | `/open` | needs no account, and says whether it saw a key |
//! | `/oauth/token` | the refresh grant, and the logins by code and by device |
//!
//! An account `work` begins with the tokens `work-access-1` and `work-refresh-1`. Its key, for the header `x-api-key`, is
//! always `work-key`.
#![allow(dead_code, reason = "each example uses a part of it")]

mod api;
mod oauth;
mod server;
mod world;

use std::sync::Arc;

use axum::Router;
use oauth_marathon::{BoxError, TokenSet};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use self::world::World;
pub(crate) use self::world::{Seen, Trouble};

/// A provider that runs until the program ends.
pub(crate) struct Provider {
    /// Where it is, such as `http://127.0.0.1:49152`. It is the issuer of the tokens too.
    pub(crate) origin: String,
    world: Arc<World>,
    seen: UnboundedReceiver<Seen>,
}

impl Provider {
    /// Starts a provider with these accounts.
    pub(crate) async fn start<const N: usize>(accounts: [&str; N]) -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (log, seen) = mpsc::unbounded_channel();
        let world = Arc::new(World::new(&accounts, log));
        let routes = Router::new().merge(api::routes()).merge(oauth::routes(&origin)).with_state(world.clone());
        server::serve(listener, routes);
        Ok(Self { origin, world, seen })
    }

    /// The tokens of an account, as a login would have brought them.
    pub(crate) fn login(&self, account: &str) -> TokenSet {
        let (access, refresh) = self.world.tokens_of(account).expect("one of the accounts");
        TokenSet::new(access).with_refresh(refresh)
    }

    /// What the provider has against an account from now on.
    pub(crate) fn trouble(&self, account: &str, trouble: Trouble) {
        self.world.trouble(account, trouble);
    }

    /// Lets so many words of the open streams go, which wait for it.
    pub(crate) fn send_words(&self, count: usize) {
        self.world.words.add_permits(count);
    }

    /// What it did since this was asked last, such as `work: 429`.
    pub(crate) fn seen(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).map(|seen| format!("{}: {}", seen.account, seen.did)).collect()
    }

    /// The next thing that it does.
    pub(crate) async fn next_seen(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }

    /// Whether a token of any account stands in this text.
    pub(crate) fn leaks_in(&self, text: &str) -> bool {
        self.world.leaks_in(text)
    }
}
