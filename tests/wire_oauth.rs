//! Refreshing over real sockets against a server that rotates its refresh tokens and punishes their reuse.

#[path = "support/rotating.rs"]
mod rotating;
#[path = "support/server.rs"]
mod server;

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::client::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::pool::Standing;
use oauth_marathon::refresh::{OAuth2, RefreshErrorKind, RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Generation, Marathon, MarathonLayer, Pool, TokenSet};
use rotating::{Counts, Rotating};
use server::{Server, post, read, state_of, within};
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};

type Stack = Marathon<HttpClient<Full<Bytes>>>;

fn source(server: &Server, client: &HttpClient<Full<Bytes>>) -> impl TokenSource + use<> {
    OAuth2::new(format!("{}/token", server.origin()), "my-client", client.clone())
}

fn tokens(account: &str, number: u32) -> TokenSet {
    TokenSet::new(format!("access.{account}.{number}")).with_refresh(format!("refresh.{account}.{number}"))
}

fn pool(server: &Server, client: &HttpClient<Full<Bytes>>, credentials: impl IntoIterator<Item = Credential>) -> Pool {
    let builder = Pool::builder("test").origin(server.origin()).token_source(source(server, client));
    builder.credentials(credentials).build().unwrap()
}

fn stack(pool: &Pool, client: &HttpClient<Full<Bytes>>) -> Stack {
    ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client.clone())
}

/// Sends so many requests at once, and counts the 200s.
async fn storm(stack: &Stack, server: &Server, count: usize) -> usize {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        tasks.spawn(stack.clone().oneshot(post(&server.origin())));
    }
    let mut good = 0;
    while let Some(answer) = tasks.join_next().await {
        good += usize::from(read(answer.unwrap().unwrap()).await.unwrap().0 == 200);
    }
    good
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
        let (rotating, server) = Rotating::start(1).await;
        rotating.open("work", 1);
        let client = HttpClient::new().unwrap();
        let expired = tokens("work", 1).expires_at(UNIX_EPOCH + Duration::from_secs(1));
        let pool = pool(&server, &client, [Credential::new("work", expired)]);
        assert_eq!(storm(&stack(&pool, &client), &server, 50).await, 50);
        assert_eq!(rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 0, served: 50 });
        let work = state_of(&pool, "work");
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
        let (rotating, server) = Rotating::start(50).await;
        rotating.open("work", 1);
        let client = HttpClient::new().unwrap();
        let stale = TokenSet::new("access.work.0").with_refresh("refresh.work.1");
        let pool = pool(
            &server,
            &client,
            [Credential::new("work", stale), Credential::new("spare", TokenSet::new("access.spare.1"))],
        );
        assert_eq!(storm(&stack(&pool, &client), &server, 50).await, 50);
        assert_eq!(rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 50, served: 50 });
        assert_eq!(state_of(&pool, "work").standing, Standing::Ready);
        assert_eq!(state_of(&pool, "spare").last_status, None, "nobody had to change the account");
        pool.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_family_that_is_revoked_needs_a_login_and_the_request_goes_on_with_the_next_account() {
    within(async {
        let (rotating, server) = Rotating::start(1).await;
        rotating.open("work", 7);
        rotating.open("home", 1);
        let client = HttpClient::new().unwrap();
        // Its refresh token was spent by somebody else.
        let pool = pool(
            &server,
            &client,
            [Credential::new("work", tokens("work", 1)), Credential::new("home", tokens("home", 1))],
        );
        let stack = stack(&pool, &client);
        for _ in 0..3 {
            let answer = stack.clone().oneshot(post(&server.origin())).await.unwrap();
            assert_eq!(read(answer).await.unwrap().0, 200);
        }
        assert_eq!(rotating.counts(), Counts { refreshes: 1, reuses: 1, unauthorized: 1, served: 3 });
        assert!(matches!(state_of(&pool, "work").standing, Standing::Out { .. }));

        // A person logs in again.
        rotating.open("work", 20);
        pool.update("work", tokens("work", 20)).unwrap();
        assert_eq!(state_of(&pool, "work").standing, Standing::Ready);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_refresh_does_not_cost_the_rotated_token() {
    within(async {
        let (rotating, server) = Rotating::start(1).await;
        rotating.open("work", 1);
        let client = HttpClient::new().unwrap();
        let expired = tokens("work", 1).expires_at(UNIX_EPOCH + Duration::from_secs(1));
        let pool = pool(&server, &client, [Credential::new("work", expired)]);
        let stack = stack(&pool, &client);
        let mut call = tokio_test::task::spawn(stack.clone().oneshot(post(&server.origin())));
        assert!(call.poll().is_pending());
        assert!(state_of(&pool, "work").refreshing);
        drop(call);
        let answer = stack.oneshot(post(&server.origin())).await.unwrap();
        assert_eq!(read(answer).await.unwrap().0, 200);
        assert_eq!(rotating.counts(), Counts { refreshes: 1, reuses: 0, unauthorized: 0, served: 1 });
    })
    .await;
}
