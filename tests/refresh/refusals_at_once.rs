//! Hundreds of requests on several threads that all meet a token which is no good: one exchange, and no 401 to a caller.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::clock::clock_fn;
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, token_source_fn};
use oauth_marathon::{Credential, MarathonLayer, Pool, TokenSet};
use tokio::sync::Barrier;
use tower::{Layer, Service, ServiceExt};

const REQUESTS: usize = 300;

/// How many rounds; `OAUTH_MARATHON_ROUNDS` sets another number.
fn rounds() -> usize {
    std::env::var("OAUTH_MARATHON_ROUNDS").map_or(500, |count| count.parse().expect("a number"))
}

/// A provider and its OAuth server: token `t1`, then `t2` and so on. A refresh ends the access token before it.
#[derive(Clone)]
struct Server(Arc<Inner>);

struct Inner {
    /// The only access token that is accepted.
    accepted: AtomicUsize,
    exchanges: AtomicUsize,
    refused: AtomicUsize,
    /// If set, holds refusals of the first token until all have come.
    together: Option<Barrier>,
}

impl Server {
    fn new(accepted: usize, together: bool) -> Self {
        let together = together.then(|| Barrier::new(REQUESTS));
        Self(Arc::new(Inner { accepted: accepted.into(), exchanges: 0.into(), refused: 0.into(), together }))
    }

    async fn exchange(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        self.0.exchanges.fetch_add(1, SeqCst);
        let number = number(request.tokens().access().expose()) + 1;
        self.0.accepted.store(number, SeqCst);
        tokio::task::yield_now().await;
        Ok(TokenSet::new(format!("t{number}")).with_refresh(format!("r{number}")).expires_at(in_an_hour()))
    }

    async fn serve(self, token: usize) -> Response<Full<Bytes>> {
        tokio::task::yield_now().await;
        let accepted = self.0.accepted.load(SeqCst) == token;
        if !accepted {
            self.0.refused.fetch_add(1, SeqCst);
            if let Some(together) = self.0.together.as_ref().filter(|_| token == 1) {
                together.wait().await;
            }
        }
        let status = if accepted { 200 } else { 401 };
        Response::builder().status(status).body(Full::default()).expect("well-formed")
    }
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let sent = request.headers()["authorization"].to_str().expect("printable");
        let token = number(sent.trim_start_matches("Bearer "));
        let server = self.clone();
        Box::pin(async move { Ok(server.serve(token).await) })
    }
}

fn number(token: &str) -> usize {
    token.trim_start_matches('t').parse().expect("a token of this server")
}

/// The time of day stands still.
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn in_an_hour() -> SystemTime {
    NOW + Duration::from_secs(3600)
}

/// Each round is another pool, as forced refreshes are a minute apart. Says how many requests were refused over all.
async fn run(server: impl Fn() -> Server, expiry: SystemTime) -> usize {
    let mut refused = 0;
    for round in 0..rounds() {
        let server = server();
        let exchange = server.clone();
        let source = token_source_fn(move |request| {
            let server = exchange.clone();
            async move { server.exchange(request).await }
        });
        let tokens = TokenSet::new("t1").with_refresh("r1").expires_at(expiry);
        let pool = Pool::builder("test").origin("https://api.example.com").token_source(source).clock(clock_fn(|| NOW));
        let pool = pool.credential(Credential::new("work", tokens)).build().expect("well-formed");
        let client = MarathonLayer::new(pool.clone()).layer(server.clone());
        let calls: Vec<_> = (0..REQUESTS)
            .map(|_| {
                let request = Request::get("https://api.example.com/").body(Full::default()).expect("well-formed");
                tokio::spawn(client.clone().oneshot(request))
            })
            .collect();
        for call in calls {
            let status = call.await.expect("no panic").expect("an answer").status();
            assert_eq!(status, 200, "round {round}");
        }
        let snapshot = pool.snapshot().credentials.remove(0);
        assert_eq!(server.0.exchanges.load(SeqCst), 1, "round {round}");
        assert_eq!((snapshot.generation.get(), snapshot.in_flight), (2, 0), "round {round}");
        refused += server.0.refused.load(SeqCst);
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_meet_a_401_share_one_exchange() {
    let refused = run(|| Server::new(2, true), in_an_hour()).await;
    assert_eq!(refused, REQUESTS * rounds(), "each has met it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_that_meet_a_401_one_by_one_share_one_exchange() {
    assert!(run(|| Server::new(2, false), in_an_hour()).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_meet_an_expired_token_share_one_exchange() {
    assert_eq!(run(|| Server::new(1, false), NOW).await, 0);
}
