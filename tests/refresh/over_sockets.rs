//! Refreshing over real sockets against a server that rotates its refresh tokens and punishes their reuse.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::config::ProviderOAuth;
use oauth_marathon::pool::{CredentialSnapshot, Standing};
use oauth_marathon::store::{MemoryStore, Store, StoreKey};
use oauth_marathon::tokens::refresh::{OAuth2, RefreshErrorKind, RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Generation, Marathon, MarathonLayer, Material, Pool, TokenSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};

use crate::servers::rotating::{Counts, Rotating};
use crate::support::server::{Server, post, read, state_of, within};

/// A stack over a real client, and the server that it talks to.
struct Scene {
    rotating: Rotating,
    server: Server,
    pool: Pool,
    stack: Marathon<HttpClient<Full<Bytes>>>,
}

impl Scene {
    /// `families` are the logins that the server knows, with the number of their valid token; `together` requests reach it at
    /// once.
    async fn new(together: usize, families: &[(&str, u32)], credentials: Vec<Credential>) -> Self {
        let (rotating, server) = Rotating::start(together).await;
        families.iter().for_each(|(account, number)| rotating.open(account, *number));
        let client = HttpClient::new().unwrap();
        let pool = Pool::builder("test").origin(server.origin()).token_source(source(&server, &client));
        let pool = pool.credentials(credentials).build().unwrap();
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client);
        Self { rotating, server, pool, stack }
    }

    async fn send(&self) -> StatusCode {
        let answer = self.stack.clone().oneshot(post(&self.server.origin())).await.unwrap();
        read(answer).await.unwrap().0
    }

    /// Sends this many requests at once, and counts the 200s.
    async fn storm(&self, count: usize) -> usize {
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(self.stack.clone().oneshot(post(&self.server.origin())));
        }
        let mut good = 0;
        while let Some(answer) = tasks.join_next().await {
            good += usize::from(read(answer.unwrap().unwrap()).await.unwrap().0 == 200);
        }
        good
    }

    fn work(&self) -> CredentialSnapshot {
        state_of(&self.pool, "work")
    }
}

fn source(server: &Server, client: &HttpClient<Full<Bytes>>) -> impl TokenSource + use<> {
    OAuth2::new(format!("{}/token", server.origin()), "my-client", client.clone())
}

fn tokens(account: &str, number: u32) -> TokenSet {
    TokenSet::new(format!("access.{account}.{number}")).with_refresh(format!("refresh.{account}.{number}"))
}

/// The first login of this account.
fn first(account: &str) -> Credential {
    Credential::new(account, tokens(account, 1))
}

/// A login of this account whose access token expired long ago.
fn expired() -> Credential {
    Credential::new("work", tokens("work", 1).expires_at(UNIX_EPOCH + Duration::from_secs(1)))
}

#[tokio::test]
async fn the_server_of_these_tests_does_revoke_a_family_whose_refresh_token_comes_twice() {
    within(async {
        let (rotating, server) = Rotating::start(1).await;
        rotating.open("work", 1);
        let source = source(&server, &HttpClient::new().unwrap());
        let request = || RefreshRequest::new("test", "work", tokens("work", 1));
        let fresh = source.refresh(request()).await.unwrap();
        assert_eq!(fresh.access().expose(), "access.work.2");
        assert_eq!(source.refresh(request()).await.unwrap_err().kind(), RefreshErrorKind::LoginNeeded);
        let revoked = source.refresh(RefreshRequest::new("test", "work", fresh)).await.unwrap_err();
        assert_eq!(revoked.kind(), RefreshErrorKind::LoginNeeded);
        assert_eq!((rotating.counts().refreshes, rotating.counts().reuses), (3, 1));
    })
    .await;
}

#[tokio::test]
async fn fifty_requests_that_find_an_expired_token_share_one_refresh_and_meet_no_401() {
    within(async {
        let scene = Scene::new(1, &[("work", 1)], vec![expired()]).await;
        assert_eq!(scene.storm(50).await, 50);
        assert_eq!(scene.rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 0, served: 50 });
        let work = scene.work();
        assert_eq!((work.generation, work.successes, work.failures), (Generation::new(2), 50, 0));
        // Counted from the server's own word.
        assert!(work.expires_at.unwrap() > SystemClock::default().now());
    })
    .await;
}

#[tokio::test]
async fn fifty_401s_at_once_share_one_refresh_and_no_refresh_token_is_sent_twice() {
    within(async {
        // Every one of the fifty has been sent with the old token before the first of them hears that it is refused.
        let stale = TokenSet::new("access.work.0").with_refresh("refresh.work.1");
        let spare = Credential::new("spare", TokenSet::new("access.spare.1"));
        let scene = Scene::new(50, &[("work", 1)], vec![Credential::new("work", stale), spare]).await;
        assert_eq!(scene.storm(50).await, 50);
        assert_eq!(scene.rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 50, served: 50 });
        assert_eq!(scene.work().standing, Standing::Ready);
        assert_eq!(state_of(&scene.pool, "spare").last_status, None, "nobody had to change the account");
        scene.pool.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_family_that_is_revoked_needs_a_login_and_the_request_goes_on_with_the_next_account() {
    within(async {
        // Its refresh token was spent by another process.
        let scene = Scene::new(1, &[("work", 7), ("home", 1)], vec![first("work"), first("home")]).await;
        for _ in 0..3 {
            assert_eq!(scene.send().await, 200);
        }
        assert_eq!(scene.rotating.counts(), Counts { refreshes: 1, reuses: 1, unauthorized: 1, served: 3 });
        assert!(matches!(scene.work().standing, Standing::Out { .. }));

        // A person logs in again.
        scene.rotating.open("work", 20);
        scene.pool.update("work", tokens("work", 20)).unwrap();
        assert_eq!(scene.work().standing, Standing::Ready);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_refresh_does_not_cost_the_rotated_token() {
    within(async {
        let scene = Scene::new(1, &[("work", 1)], vec![expired()]).await;
        let mut call = tokio_test::task::spawn(scene.stack.clone().oneshot(post(&scene.server.origin())));
        assert!(call.poll().is_pending());
        assert!(scene.work().refreshing);
        drop(call);
        assert_eq!(scene.send().await, 200);
        assert_eq!(scene.rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 0, served: 1 });
    })
    .await;
}

#[tokio::test]
async fn what_came_of_an_answer_that_exchange_timeout_cuts_is_stored() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let _server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"refresh_token\":\"r2\",";
        socket.write_all(answer.as_bytes()).await.unwrap();
        // And no more of it.
        std::future::pending::<()>().await;
    });
    let oauth = serde_json::json!({
        "origins": [origin], "tokenUrl": format!("{origin}/token"), "clientId": "mine", "exchangeTimeoutMs": 2000
    });
    let oauth: ProviderOAuth = serde_json::from_value(oauth).unwrap();
    let store = MemoryStore::new();
    let tokens = TokenSet::new("a1").with_refresh("r1").expires_at(UNIX_EPOCH);
    let pool =
        Pool::builder("test").oauth(&oauth, HttpClient::<Full<Bytes>>::new().unwrap()).unwrap().store(store.clone());
    let pool = pool.credential(Credential::new("work", tokens)).build().unwrap();
    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(HttpClient::new().unwrap());
    within(stack.oneshot(post(&origin))).await.unwrap_err();
    let held = store.load(&StoreKey::new("test", "work")).await.unwrap().unwrap().record;
    let Material::OAuth(tokens) = held.credential.material() else { panic!() };
    assert_eq!(tokens.refresh().unwrap().expose(), "r2");
}
