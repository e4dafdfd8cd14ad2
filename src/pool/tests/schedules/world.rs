//! A pool over a store in memory, requests over it, and what must hold in the end.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use shuttle::future::JoinHandle;
use tower::{Layer, ServiceExt, service_fn};

use super::server::{Server, wall};
use crate::MarathonLayer;
use crate::clock::clock_fn;
use crate::credentials::Credential;
use crate::error::BoxError;
use crate::pool::Pool;
use crate::store::{MemoryStore, Record, Store};
use crate::sync::{spawn, time};

/// A store, the OAuth server and the provider.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) store: MemoryStore,
}

impl World {
    pub(super) fn new(server: Server) -> Self {
        Self { server, store: MemoryStore::new() }
    }

    /// A pool over the store, with credentials of its own.
    pub(super) async fn open(&self, credentials: impl IntoIterator<Item = Credential>) -> Pool {
        let pool = Pool::builder("openai")
            .origin("https://api.example.com")
            .token_source(self.server.clone())
            .store(self.store.clone())
            .credentials(credentials)
            .clock(clock_fn(wall));
        pool.open().await.unwrap()
    }

    /// Sends a request in a task of its own.
    pub(super) fn request(&self, pool: &Pool) -> JoinHandle<Result<StatusCode, BoxError>> {
        let (pool, server) = (pool.clone(), self.server.clone());
        spawn(async move {
            let client = service_fn(move |request| server.clone().answer(request));
            let client = MarathonLayer::new(pool).layer(client);
            let request = Request::get("https://api.example.com/v1").body(Full::<Bytes>::from("hello")).unwrap();
            let response = client.oneshot(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok(status)
        })
    }

    /// Waits for requests, and asserts that all of them succeed.
    pub(super) async fn serves(&self, requests: Vec<JoinHandle<Result<StatusCode, BoxError>>>) {
        for request in requests {
            let status = request.await.unwrap().unwrap();
            self.spent_once();
            assert_eq!(status, StatusCode::OK);
        }
    }

    /// Asserts that, once all requests are answered, the store has what the pool holds, and the server takes that.
    pub(super) async fn settled(&self, pool: &Pool) {
        pool.flush().await.unwrap();
        // Long enough for the pool to read all that is in the store.
        time::sleep(Duration::from_secs(1)).await;
        self.spent_once();
        for credential in pool.snapshot().credentials {
            assert_eq!((credential.in_flight, credential.refreshing), (0, false), "{credential:?}");
        }
        let mut held: Vec<_> = {
            let state = pool.state();
            state.entries().map(|entry| (entry.credential().clone(), entry.access().generation)).collect()
        };
        let mut stored = self.stored().await;
        assert!(stored.iter().all(|record| record.intent.is_none()), "a refresh has no end: {stored:?}");
        held.sort_by(|one, other| one.0.id.cmp(&other.0.id));
        stored.sort_by(|one, other| one.credential.id.cmp(&other.credential.id));
        let stored: Vec<_> = stored.into_iter().map(|record| (record.credential, record.generation)).collect();
        assert_eq!(held, stored, "the pool and its store differ: {:?}, {:?}", names(&held), names(&stored));
        for (credential, _) in &held {
            let refresh = credential.material.refresh_token().unwrap().expose();
            assert!(self.server.is_open(refresh), "{refresh} is held, and is of no use");
        }
        let (active, first) = (pool.try_lease().map(|lease| lease.credential().clone()), {
            let state = pool.state();
            state.ready(None).next().and_then(|place| state.entry(place)).map(|entry| entry.credential().id.clone())
        });
        assert!(active.is_none() || active == first, "active is {active:?}, and {first:?} is the first");
    }

    fn spent_once(&self) {
        let twice = self.server.sent_twice();
        assert!(twice.is_empty(), "sent more than once: {twice:?}");
    }

    pub(super) async fn stored(&self) -> Vec<Record> {
        let entries = self.store.load_all("openai").await.unwrap();
        entries.into_iter().map(|entry| entry.record).collect()
    }
}

/// The refresh tokens, which are no secrets here.
fn names<G: std::fmt::Debug>(held: &[(Credential, G)]) -> Vec<String> {
    let name = |credential: &Credential| credential.material.refresh_token().map(|token| token.expose().to_owned());
    held.iter().map(|(credential, generation)| format!("{:?} {generation:?}", name(credential))).collect()
}
