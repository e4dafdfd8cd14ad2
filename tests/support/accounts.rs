//! Accounts, their OAuth server, requests and answers, as most tests need them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::clock::{WallClock, clock_fn};
use oauth_marathon::notify::EventStream;
use oauth_marathon::pool::{CredentialSnapshot, PoolBuilder};
use oauth_marathon::refresh::{RefreshError, RefreshRequest, TokenSource};
use oauth_marathon::{BoxError, Credential, Pool, Secret, TokenSet};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) const ORIGIN: &str = "https://api.example.com";

pub(crate) fn post() -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1/chat").body(Full::from("{}")).unwrap()
}

pub(crate) fn answer(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from("body")).unwrap()
}

/// What the request carries after `Bearer`.
pub(crate) fn token<B>(request: &Request<B>) -> String {
    let value = request.headers().get("authorization").map(|value| value.to_str().unwrap());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned()
}

/// A pool of static keys; each one's key is its id.
pub(crate) fn keys(ids: &[&str]) -> PoolBuilder {
    Pool::builder("openai").origin(ORIGIN).credentials(ids.iter().map(|id| Credential::new(*id, Secret::new(*id))))
}

/// The time of day begins now and goes with the paused clock of the test.
pub(crate) fn wall() -> impl WallClock + Clone {
    #[derive(Debug, Clone)]
    struct Wall(Arc<dyn WallClock>);
    impl WallClock for Wall {
        fn now(&self) -> SystemTime {
            self.0.now()
        }
    }
    let start = Instant::now();
    Wall(Arc::new(clock_fn(move || day(start.elapsed()))))
}

/// A point of time, counted from the start of the test.
pub(crate) fn day(since_start: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000) + since_start
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tokens whose names tell whose they are: `a-1` and `a-r1`; they expire after `life`, counted from the test's start.
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

type Outcome = dyn Fn(usize, &RefreshRequest) -> Result<TokenSet, RefreshError> + Send + Sync;

/// An OAuth server that notes which refresh tokens it gets, and can be made to take its time.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    spent: Mutex<Vec<String>>,
    open: watch::Sender<bool>,
    broken: AtomicBool,
    outcome: Box<Outcome>,
}

impl Server {
    /// `outcome` gets how many exchanges there have been, this one included.
    pub(crate) fn new(
        outcome: impl Fn(usize, &RefreshRequest) -> Result<TokenSet, RefreshError> + Send + Sync + 'static,
    ) -> Self {
        let broken = AtomicBool::new(false);
        Self(Arc::new(Inner {
            spent: Mutex::default(),
            open: watch::Sender::new(true),
            broken,
            outcome: Box::new(outcome),
        }))
    }

    /// Gives out `ID-2` and `ID-r2`, then `ID-3` and so on, all of this life.
    pub(crate) fn rotating(wall: impl WallClock, life: Duration) -> Self {
        Self::new(move |count, request| {
            let (id, next) = (request.credential(), count + 1);
            let tokens = TokenSet::new(format!("{id}-{next}")).with_refresh(format!("{id}-r{next}"));
            Ok(tokens.expires_at(wall.now() + life))
        })
    }

    /// Answers nothing until it is opened.
    pub(crate) fn close(&self) {
        self.0.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Fails for now, or works again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, SeqCst);
    }

    /// The refresh tokens that it was sent, in order.
    pub(crate) fn spent(&self) -> Vec<String> {
        self.0.spent.lock().unwrap().clone()
    }

    pub(crate) fn exchanges(&self) -> usize {
        self.spent().len()
    }
}

impl TokenSource for Server {
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let count = {
            let mut spent = self.0.spent.lock().unwrap();
            spent.push(request.tokens().refresh().unwrap().expose().to_owned());
            spent.len()
        };
        self.0.open.subscribe().wait_for(|open| *open).await.unwrap();
        match self.0.broken.load(SeqCst) {
            true => Err(RefreshError::transient("the server is down")),
            false => (self.0.outcome)(count, &request),
        }
    }
}

/// Runs whatever can run now, without moving the clock.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The names of the events that have come.
pub(crate) fn names(events: &mut EventStream) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv()).map(|event| event.name()).collect()
}

pub(crate) fn look(pool: &Pool, id: &str) -> CredentialSnapshot {
    pool.snapshot().credential(id).unwrap().clone()
}

pub(crate) fn in_flight(pool: &Pool) -> u32 {
    pool.snapshot().credentials.iter().map(|credential| credential.in_flight).sum()
}

pub(crate) fn lost() -> BoxError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}
