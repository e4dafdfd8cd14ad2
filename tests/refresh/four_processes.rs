//! Four processes over one file, one login, and an OAuth server that revokes it when a refresh token comes twice.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::clock_fn;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::store::{CasOutcome, FileStore, Record, Store, StoreKey};
use oauth_marathon::tokens::login::Login;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{Credential, Generation, MarathonLayer, Pool, TokenSet};
use tokio::sync::Barrier;
use tower::{Layer, ServiceExt};

use crate::servers::oidc::{CLIENT, Peer};
use crate::servers::rotating::{Counts, Rotating};
use crate::support::browser::Browser;
use crate::support::children;
use crate::support::server::{Server, answer, post, read};

const PROCESSES: usize = 4;

/// How many times the token expires; `.ci/long` sets more.
fn rounds() -> usize {
    std::env::var("OAUTH_MARATHON_EXPIRIES").map_or(100, |count| count.parse().unwrap())
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
    let [path, origin, token_url, client_id, rounds] = &task[..] else { panic!("{task:?}") };
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    for round in 1..=rounds.parse().unwrap() {
        let store = FileStore::open(path).await.unwrap();
        let clock = || clock_fn(move || time_of(round));
        let pool = Pool::builder("test")
            .origin(origin.as_str())
            .token_source(OAuth2::new(token_url, client_id, client.clone()).clock(clock()))
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

/// Runs the processes over one file that holds these tokens, and returns the generation that is stored at the end.
async fn run(tokens: TokenSet, origin: &str, token_url: &str, client_id: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store/credentials.json");
    let store = FileStore::open(&path).await.unwrap();
    let record = Record::new(Credential::new("work", tokens.expires_at(time_of(0))), Generation::new(1));
    assert!(matches!(store.compare_and_set(&key(), None, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
    let rounds = rounds().to_string();
    let task = [path.to_str().unwrap(), origin, token_url, client_id, &rounds];
    let processes: Vec<_> = (0..PROCESSES).map(|_| children::spawn(module_path!(), "process", &task)).collect();
    for process in processes {
        assert!(children::ended_well(process).await);
    }
    let record = store.load(&key()).await.unwrap().unwrap().record;
    assert_eq!(record.intent, None);
    record.generation.get()
}

async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(900), test).await.expect("the processes hang")
}

#[tokio::test]
async fn of_four_processes_that_find_an_expired_token_one_refreshes_it_and_the_others_adopt() {
    if children::task().is_some() {
        return;
    }
    within(async {
        let (rotating, server) = Rotating::start(PROCESSES).await;
        rotating.open("work", 1);
        let (origin, rounds) = (server.origin(), rounds());
        let tokens = TokenSet::new("access.work.1").with_refresh("refresh.work.1");
        let generation = run(tokens, &origin, &format!("{origin}/token"), "my-client").await;
        assert_eq!(generation, 1 + rounds as u64);
        let served = PROCESSES * rounds;
        assert_eq!(rotating.counts(), Counts { refreshes: rounds, reuses: 0, unauthorized: 0, served });
    })
    .await;
}

#[tokio::test]
async fn a_real_oauth_server_sees_one_refresh_for_each_expiry_and_revokes_nothing() {
    if children::task().is_some() {
        return;
    }
    within(async {
        let Some(peer) = Peer::start("four processes over one login").await else { return };
        let http = HttpClient::<Full<Bytes>>::new().unwrap();
        let mut server = OAuthServer::default();
        server.issuer = Some(peer.issuer.clone());
        server.client_id = Some(CLIENT.to_owned());
        server.scopes = ["openid", "offline_access"].map(Into::into).into();
        let login = Login::new(server, http).parameter("prompt", "consent");
        let pending = login.by_code().await.unwrap();
        let browser = Browser::new();
        let callback = browser.log_in(pending.url(), "alice").await.unwrap();
        let (logged_in, _) = tokio::join!(pending.finish(), browser.visit(&callback));

        let together = Arc::new(Barrier::new(PROCESSES));
        let provider = Server::start(move |request| {
            let together = together.clone();
            async move {
                if request.uri().path() == "/together" {
                    together.wait().await;
                }
                answer(200, "ok")
            }
        })
        .await;
        let token_url = login.discover().await.unwrap().token_url.unwrap();
        let generation = run(logged_in.unwrap().tokens, &provider.origin(), &token_url, CLIENT).await;
        assert_eq!(generation, 1 + rounds() as u64);
        let events = peer.events().await;
        assert_eq!(events.count("grant.success refresh_token"), rounds());
        assert_eq!((events.count("grant.error invalid_grant"), events.count("grant.revoked")), (0, 0));
    })
    .await;
}
