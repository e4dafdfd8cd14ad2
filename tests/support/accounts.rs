//! Accounts, their tokens, requests and answers, as most tests need them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::clock::WallClock;
use oauth_marathon::events::EventStream;
use oauth_marathon::pool::{CredentialSnapshot, PoolBuilder};
use oauth_marathon::{Credential, Pool, Secret, TokenSet};
use oauth_marathon_test::{ManualClock, Reply, ScriptedProvider, ScriptedTokens};

pub(crate) const ORIGIN: &str = "https://api.example.com";

pub(crate) fn post() -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1/chat").body(Full::from("{}")).unwrap()
}

pub(crate) fn answer(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from("body")).unwrap()
}

/// A pool of static keys with these ids. The key of each is its id.
pub(crate) fn keys(ids: &[&str]) -> PoolBuilder {
    Pool::builder("openai").origin(ORIGIN).credentials(ids.iter().map(|id| Credential::new(*id, Secret::new(*id))))
}

/// A wall clock that begins at the real time of day and goes with the test's paused clock.
pub(crate) fn wall() -> ManualClock {
    ManualClock::new(day(Duration::ZERO)).running()
}

/// A time of day, counted from the start of the test.
pub(crate) fn day(since_start: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000) + since_start
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A credential with the tokens `ID-1` and `ID-r1`, which expire after `life`, counted from the test's start.
pub(crate) fn oauth(id: &str, life: Option<Duration>) -> Credential {
    let tokens = TokenSet::new(format!("{id}-1")).with_refresh(format!("{id}-r1"));
    Credential::new(
        id,
        match life {
            Some(life) => tokens.expires_at(day(life)),
            None => tokens,
        },
    )
}

/// A token source that grants `ID-2` and `ID-r2`, then `ID-3` and so on, each with this life.
pub(crate) fn rotating(wall: ManualClock, life: Duration) -> ScriptedTokens {
    ScriptedTokens::new().fresh_as(move |exchange| {
        let (id, next) = (&exchange.credential, exchange.number + 1);
        let tokens = TokenSet::new(format!("{id}-{next}")).with_refresh(format!("{id}-r{next}"));
        tokens.expires_at(wall.now() + life)
    })
}

/// A provider that answers each of these tokens with its status, always, and all others with 200; 0 stands for a broken
/// connection.
pub(crate) fn refusing(refused: &[(&str, u16)]) -> ScriptedProvider {
    refused.iter().fold(ScriptedProvider::new(), |provider, (token, status)| {
        provider.always(token, if *status == 0 { Reply::connection_error() } else { Reply::status(*status) })
    })
}

/// Lets all tasks run that can run now, without moving the clock.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The names of the events that have come so far.
pub(crate) fn names(events: &mut EventStream) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv()).map(|event| event.name()).collect()
}

pub(crate) fn look(pool: &Pool, id: &str) -> CredentialSnapshot {
    pool.snapshot().credential(id).unwrap().clone()
}

pub(crate) fn in_flight(pool: &Pool) -> u32 {
    pool.snapshot().credentials.iter().map(|credential| credential.in_flight).sum()
}
