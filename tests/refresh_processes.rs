//! Four processes over one file, one login, and an OAuth server that revokes it when a refresh token comes twice.

#[path = "support/children.rs"]
mod children;
#[path = "support/rotating.rs"]
mod rotating;
#[path = "support/server.rs"]
mod server;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::client::HttpClient;
use oauth_marathon::clock::clock_fn;
use oauth_marathon::refresh::OAuth2;
use oauth_marathon::store::{CasOutcome, FileStore, Record, Store, StoreKey};
use oauth_marathon::{Credential, Generation, MarathonLayer, Pool, TokenSet};
use rotating::{Counts, Rotating};
use server::{post, read};
use tower::{Layer, ServiceExt};

const PROCESSES: usize = 4;

/// How often the token expires; `.ci/long` sets more.
fn rounds() -> usize {
    std::env::var("OAUTH_MARATHON_EXPIRIES").map_or(25, |count| count.parse().unwrap())
}

/// The time of a round. A token that was given out in a round lives for an hour, and the next round is two hours later.
fn time_of(round: usize) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_900_000_000 + 7200 * round as u64)
}

fn key() -> StoreKey {
    StoreKey::new("test", "work")
}

/// A process: in each round it opens the store anew, finds an expired token, and sends a request.
#[tokio::test]
async fn process() {
    let Some(task) = children::task() else { return };
    let [path, origin, rounds] = &task[..] else { panic!("{task:?}") };
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    for round in 1..=rounds.parse().unwrap() {
        let store = FileStore::open(path).await.unwrap();
        let clock = || clock_fn(move || time_of(round));
        let pool = Pool::builder("test")
            .origin(origin.as_str())
            .token_source(OAuth2::new(format!("{origin}/token"), "my-client", client.clone()).clock(clock()))
            .store(store)
            .clock(clock())
            .open()
            .await
            .unwrap();
        // All processes find that the token has expired before one of them does something about it.
        let together = http::Request::get(format!("{origin}/together")).body(Full::default()).unwrap();
        client.clone().oneshot(together).await.unwrap();
        let answer = MarathonLayer::new(pool.clone()).layer(client.clone()).oneshot(post(origin)).await.unwrap();
        assert_eq!(read(answer).await.unwrap().0, 200, "round {round}");
        pool.shutdown().await;
    }
}

async fn new_store(path: &Path) -> FileStore {
    let store = FileStore::open(path).await.unwrap();
    let tokens = TokenSet::new("access.work.1").with_refresh("refresh.work.1").expires_at(time_of(0));
    let record = Record::new(Credential::new("work", tokens), Generation::new(1));
    assert!(matches!(store.compare_and_set(&key(), None, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
    store
}

#[tokio::test]
async fn of_four_processes_that_find_an_expired_token_one_refreshes_it_and_the_others_adopt() {
    if children::task().is_some() {
        return;
    }
    let rounds = rounds();
    let test = async {
        let (rotating, server) = Rotating::start(PROCESSES).await;
        rotating.open("work", 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/credentials.json");
        let store = new_store(&path).await;
        let task = [path.to_str().unwrap(), &server.origin(), &rounds.to_string()];
        let processes: Vec<_> = (0..PROCESSES).map(|_| children::spawn("process", &task)).collect();
        for process in processes {
            assert!(children::ended_well(process).await);
        }
        let served = PROCESSES * rounds;
        assert_eq!(rotating.counts(), Counts { refreshes: rounds, reuses: 0, unauthorized: 0, served });
        let record = store.load(&key()).await.unwrap().unwrap().record;
        assert_eq!((record.generation.get(), record.intent), (1 + rounds as u64, None));
    };
    tokio::time::timeout(Duration::from_secs(900), test).await.expect("the processes hang");
}
