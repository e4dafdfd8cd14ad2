//! Refreshes and what happens meanwhile: panics, shutdown, removal, update, and tokens of a short life.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oauth_marathon::pool::Standing;
use oauth_marathon::tokens::refresh::{RefreshError, token_source_fn};
use oauth_marathon::{Credential, Error, ErrorKind, Marathon, MarathonLayer, Pool, Secret, TokenSet};
use oauth_marathon_test::{Grant, ManualClock, Reply, ScriptedProvider, ScriptedTokens};
use tokio_test::task;
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, day, look, names, oauth, post, rotating, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

/// Accepts every token.
fn fine() -> ScriptedProvider {
    ScriptedProvider::new()
}

/// A pool of one account whose token has expired, and a stack over it.
fn expired(server: &ScriptedTokens) -> (Pool, Marathon<ScriptedProvider>) {
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(fine());
    (pool, stack)
}

fn kind(error: &oauth_marathon::BoxError) -> ErrorKind {
    Error::find(&**error).unwrap().kind()
}

#[tokio::test(start_paused = true)]
async fn a_token_source_that_panics_fails_this_refresh_and_nothing_else() {
    let server = ScriptedTokens::new().on("a", [Grant::panic(), Grant::tokens(TokenSet::new("a-2"))]);
    let (pool, stack) = expired(&server);
    let error = stack.clone().oneshot(post()).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Refresh);
    assert!(error.to_string().contains("the token source panicked"), "{error}");
    assert!(!look(&pool, "a").refreshing);
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(look(&pool, "a").generation.get(), 2);
}

#[test]
fn without_a_runtime_a_refresh_is_an_error_and_no_panic() {
    let source = ScriptedTokens::new();
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(source).clock(ManualClock::new(day(HOUR)));
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(fine());
    let mut request = task::spawn(stack.oneshot(post()));
    let std::task::Poll::Ready(outcome) = request.poll() else { panic!("it would wait for ever") };
    let error = outcome.unwrap_err();
    assert_eq!((kind(&error), error.to_string().contains("tokio runtime")), (ErrorKind::Refresh, true));
    assert!(!look(&pool, "a").refreshing);
}

#[test]
fn a_refresh_that_is_cut_short_with_its_runtime_leaves_the_pool_usable() {
    let server = ScriptedTokens::new().always("a", Grant::tokens(TokenSet::new("a-2")));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    server.hold();
    let first = runtime();
    let pool = first.block_on(async {
        let (pool, stack) = expired(&server);
        tokio::spawn(stack.oneshot(post()));
        settle().await;
        assert!(look(&pool, "a").refreshing);
        pool
    });
    drop(first);
    assert!(!look(&pool, "a").refreshing);
    server.release();
    pool.clear("a", oauth_marathon::verdict::Scope::Credential);
    let answer = runtime().block_on(MarathonLayer::new(pool).layer(fine()).oneshot(post()));
    assert_eq!((answer.unwrap().status().as_u16(), server.exchanges().len()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_token_source_that_goes_through_its_own_stack_fails_fast() {
    let own: Arc<OnceLock<Marathon<ScriptedProvider>>> = Arc::default();
    let handle = own.clone();
    let source = token_source_fn(move |_| {
        let stack = handle.get().unwrap().clone();
        async move {
            let error = stack.oneshot(post()).await.unwrap_err();
            assert!(error.to_string().contains("plain HTTP client"), "{error}");
            Err(RefreshError::transient("as expected").with_source(error))
        }
    });
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(source).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = own.get_or_init(|| MarathonLayer::new(pool).layer(fine())).clone();
    let outcome = tokio::time::timeout(seconds(1), stack.oneshot(post())).await.expect("no deadlock");
    assert!(outcome.unwrap_err().to_string().contains("as expected"));
}

#[tokio::test(start_paused = true)]
async fn a_removal_wins_over_a_refresh_under_way() {
    let server = rotating(wall(), HOUR);
    let (pool, stack) = expired(&server);
    let mut events = pool.events();
    pool.add(Credential::new("b", Secret::new("b"))).unwrap();
    server.hold();
    let waiting = tokio::spawn(stack.clone().oneshot(post()));
    settle().await;
    assert!(pool.remove("a"));
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200, "it went on with another account at once");
    // Another account of the same name is none of the refresh's business.
    pool.add(Credential::new("a", Secret::new("key"))).unwrap();
    server.release();
    settle().await;
    assert_eq!((look(&pool, "a").expires_at, look(&pool, "a").standing), (None, Standing::Ready));
    assert_eq!(names(&mut events), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_update_wins_over_a_refresh_under_way_however_that_ends() {
    let grants = [Grant::tokens(TokenSet::new("of the server")), Grant::busy(), Grant::refused()];
    for (case, grant) in grants.into_iter().enumerate() {
        let server = ScriptedTokens::new().always("a", grant);
        let (pool, _) = expired(&server);
        let mut events = pool.events();
        server.hold();
        let provider = ScriptedProvider::new().always("a-1", Reply::panic());
        let stack = MarathonLayer::new(pool.clone()).layer(provider);
        let waiting = tokio::spawn(stack.clone().oneshot(post()));
        settle().await;
        let tokens = TokenSet::new("of a person").with_refresh("new").expires_at(day(HOUR));
        pool.update("a", tokens.clone()).unwrap();
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200, "nobody else waits any more");
        server.release();
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200, "{case}");
        let a = look(&pool, "a");
        assert_eq!((a.standing, a.generation.get(), a.expires_at), (Standing::Ready, 2, tokens.expiry()), "{case}");
        assert_eq!(names(&mut events), [""; 0], "{case}: nobody has to know");

        // The new login is not lost with the old one: it is refreshed when its time comes.
        tokio::time::advance(seconds(3500)).await;
        let _ = stack.oneshot(post()).await;
        settle().await;
        assert_eq!(server.spent(), ["a-r1", "new"], "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_refreshes_under_way_and_refuses_new_requests() {
    let server = rotating(wall(), HOUR);
    let (pool, stack) = expired(&server);
    server.hold();
    let waiting = tokio::spawn(stack.clone().oneshot(post()));
    settle().await;
    let mut shutdown = task::spawn(pool.shutdown());
    assert!(shutdown.poll().is_pending());
    assert_eq!(kind(&stack.clone().oneshot(post()).await.unwrap_err()), ErrorKind::Closed);
    server.release();
    settle().await;
    assert!(shutdown.poll().is_ready());
    assert_eq!(look(&pool, "a").generation.get(), 2, "the new token is not lost");
    assert_eq!(kind(&waiting.await.unwrap().unwrap_err()), ErrorKind::Closed);
    assert_eq!(server.exchanges().len(), 1);
    pool.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_short_life_cause_no_storm() {
    for (life, most) in [(Duration::ZERO, 1), (seconds(1), 13), (seconds(5), 3)] {
        let server = rotating(wall(), life);
        let (_, stack) = expired(&server);
        // A hundred requests a second for ten seconds.
        for _ in 0..1000 {
            let _ = stack.clone().oneshot(post()).await;
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let exchanges = server.exchanges().len();
        assert!((1..=most).contains(&exchanges), "{exchanges} exchanges of tokens that live {life:?}");
    }
}
