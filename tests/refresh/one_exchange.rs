//! One refresh for all requests that wait: on expiry, on refusal, early, and never more often than needed.

use std::sync::Arc;
use std::time::Duration;

use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::tokens::refresh::{RefreshError, RefreshErrorKind};
use oauth_marathon::{BoxError, Error, ErrorKind, Marathon, MarathonLayer, Pool, RequestContext, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::support::accounts::{
    ORIGIN, day, in_flight, keys, look, names, oauth, post, refusing, rotating, seconds, settle, wall,
};

const HOUR: Duration = seconds(3600);

/// A pool of one account whose token lives this long, and the server that replaces it by one of an hour.
fn one(life: Option<Duration>) -> (PoolBuilder, ScriptedTokens) {
    let wall = wall();
    let server = rotating(wall.clone(), HOUR);
    (
        Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall).credential(oauth("a", life)),
        server,
    )
}

fn hundred(stack: &Marathon<ScriptedProvider>) -> Vec<JoinHandle<Result<u16, BoxError>>> {
    let call = |stack: Marathon<ScriptedProvider>| async {
        stack.oneshot(post()).await.map(|answer| answer.status().as_u16())
    };
    (0..100).map(|_| tokio::spawn(call(stack.clone()))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_meet_an_expired_token_share_one_exchange() {
    for first_goes_away in [false, true] {
        let (pool, server) = one(Some(Duration::ZERO));
        let pool = pool.build().unwrap();
        let probe = refusing(&[("a-1", 401)]);
        server.hold();
        let mut calls = hundred(&MarathonLayer::new(pool.clone()).layer(probe.clone()));
        settle().await;
        if first_goes_away {
            calls.remove(0).abort();
        }
        settle().await;
        assert_eq!((server.exchanges().len(), probe.counts().calls), (1, 0));
        server.release();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), 200);
        }
        assert_eq!((server.spent(), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_share_the_failure_too() {
    let (pool, server) = one(Some(Duration::ZERO));
    let pool = pool.build().unwrap();
    let mut events = pool.events();
    let probe = refusing(&[]);
    server.set("a", Grant::busy());
    let stack = MarathonLayer::new(pool.clone()).layer(probe.clone());
    for call in hundred(&stack) {
        let error = call.await.unwrap().unwrap_err();
        let ours = Error::find(&*error).unwrap();
        assert_eq!((ours.kind(), ours.retry_after()), (ErrorKind::Refresh, Some(seconds(30))));
        let cause = std::error::Error::source(ours).unwrap().downcast_ref::<RefreshError>().unwrap();
        assert_eq!(
            (cause.kind(), cause.to_string()),
            (RefreshErrorKind::Transient, "scripted: the server is busy".to_owned())
        );
    }
    assert_eq!((server.exchanges().len(), probe.counts().calls), (1, 0));
    assert_eq!(names(&mut events), ["refresh_failed", "cooling_down", "exhausted"]);

    // The token set was kept: it works as soon as the cooldown is over.
    server.set("a", Grant::fresh());
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1", "a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_refusals_causes_one_exchange() {
    let (pool, server) = one(Some(HOUR));
    let pool = pool.build().unwrap();
    let probe = refusing(&[("a-1", 401)]);
    for call in hundred(&MarathonLayer::new(pool.clone()).layer(probe.clone())) {
        assert_eq!(call.await.unwrap().unwrap(), 200);
    }
    assert_eq!(server.exchanges().len(), 1);
    let a = look(&pool, "a");
    assert_eq!((a.standing, a.successes), (Standing::Ready, 100));
}

#[tokio::test(start_paused = true)]
async fn late_refusals_of_the_old_token_touch_nothing() {
    let (pool, server) = one(Some(HOUR));
    let pool = pool.build().unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let provider = ScriptedProvider::new().always("a-1", Reply::status(401).held(gate.clone()));
    let stack = MarathonLayer::new(pool.clone()).layer(provider);
    let late: Vec<_> = (0..10).map(|_| tokio::spawn(stack.clone().oneshot(post()))).collect();
    settle().await;
    gate.add_permits(1);
    settle().await;
    // The first refusal has led to the exchange; now come the others, which were sent before it.
    gate.add_permits(9);
    for call in late {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let a = look(&pool, "a");
    assert_eq!((server.exchanges().len(), a.generation.get(), a.standing, a.successes), (1, 2, Standing::Ready, 10));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_inside_the_margin_and_the_moment_is_jittered() {
    let mut moments = std::collections::HashSet::new();
    for _ in 0..20 {
        let (pool, server) = one(Some(HOUR));
        let stack = MarathonLayer::new(pool.build().unwrap()).layer(refusing(&[]));
        // Five minutes before the end at the most, four at the least.
        for second in 3290..3370 {
            tokio::time::advance(if second == 3290 { seconds(3290) } else { seconds(1) }).await;
            stack.clone().oneshot(post()).await.unwrap();
            settle().await;
            if server.exchanges().len() == 1 {
                assert!((3300..=3360).contains(&second), "{second}");
                moments.insert(second);
                break;
            }
        }
        assert_eq!(server.exchanges().len(), 1);
    }
    assert!(moments.len() > 3, "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_used_at_once_while_its_exchange_takes_its_time() {
    let (pool, server) = one(Some(HOUR));
    let pool = pool.build().unwrap();
    let probe = refusing(&[]);
    let stack = MarathonLayer::new(pool.clone()).layer(probe.clone());
    tokio::time::advance(seconds(3400)).await;
    server.set("a", Grant::fresh().after(seconds(20)));
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
        settle().await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits");
    assert_eq!((server.exchanges().len(), look(&pool, "a").refreshing), (1, true));
    tokio::time::sleep(seconds(20)).await;
    settle().await;
    stack.oneshot(post()).await.unwrap();
    assert_eq!((server.exchanges().len(), look(&pool, "a").refreshing), (1, false));
    assert_eq!(probe.tokens().iter().filter(|token| *token == "a-1").count(), 100);
    assert_eq!(probe.tokens().last().unwrap(), "a-2");
}

#[tokio::test(start_paused = true)]
async fn an_early_exchange_that_fails_leaves_the_valid_token_in_use_for_a_while() {
    let (pool, server) = one(Some(HOUR));
    let pool = pool.build().unwrap();
    let mut events = pool.events();
    server.set("a", Grant::busy());
    let probe = refusing(&[]);
    let stack = MarathonLayer::new(pool.clone()).layer(probe.clone());
    tokio::time::advance(seconds(3400)).await;
    for _ in 0..50 {
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
        settle().await;
    }
    assert_eq!((server.exchanges().len(), names(&mut events)), (1, vec!["refresh_failed"]));
    assert_eq!((look(&pool, "a").standing, look(&pool, "a").failures), (Standing::Ready, 0));
    tokio::time::advance(seconds(31)).await;
    server.set("a", Grant::fresh());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    settle().await;
    assert_eq!((server.exchanges().len(), look(&pool, "a").generation.get()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_early_exchange_that_is_refused_for_good_says_so_at_once_and_uses_up_the_valid_token() {
    let wall = wall();
    let server = ScriptedTokens::new().otherwise(Grant::refused());
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall);
    let pool = pool.credential(oauth("a", Some(HOUR))).build().unwrap();
    let mut events = pool.events();
    let provider = ScriptedProvider::new();
    let stack = MarathonLayer::new(pool.clone()).layer(provider.clone());
    tokio::time::advance(seconds(3400)).await;
    for _ in 0..10 {
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
        settle().await;
    }
    assert_eq!((server.exchanges().len(), names(&mut events)), (1, vec!["out"]));
    provider.set("a-1", Reply::status(401));
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 401);
    assert!(matches!(look(&pool, "a").standing, Standing::Out { .. }));
    let error = stack.oneshot(post()).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::LoginNeeded);
    assert_eq!(server.exchanges().len(), 1, "a refused refresh token is not sent again");
    assert_eq!(names(&mut events), ["exhausted"], "who has been told to log in is not told again");
}

#[tokio::test(start_paused = true)]
async fn forced_exchanges_of_one_account_are_a_minute_apart() {
    let (pool, server) = one(Some(HOUR));
    let mut settings = Settings::default();
    settings.auth_failure_cooldown = seconds(1);
    let pool = pool.settings(settings).build().unwrap();
    let probe = ScriptedProvider::new().otherwise(Reply::status(401));
    let stack = MarathonLayer::new(pool.clone()).layer(probe);
    for second in 0..150 {
        assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 401, "{second}");
        tokio::time::advance(seconds(1)).await;
    }
    assert_eq!(server.exchanges().len(), 3, "at 0, 60 and 120 s");
    assert_eq!(server.spent(), ["a-r1", "a-r2", "a-r3"], "the rotated refresh token is used next");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_takes_the_account_out_and_the_request_goes_on() {
    let wall = wall();
    let server = ScriptedTokens::new().otherwise(Grant::refused());
    let pool = keys(&["b"]).token_source(server.clone()).clock(wall).build().unwrap();
    pool.add(oauth("a", Some(Duration::ZERO))).unwrap();
    let mut events = pool.events();
    let stack = MarathonLayer::new(pool.clone()).layer(refusing(&[]));
    for _ in 0..2 {
        let context = RequestContext::new().with_pin("a");
        let error = context.clone().scope(stack.clone().oneshot(post())).await.unwrap_err();
        let error = Error::find(&*error).unwrap();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::LoginNeeded, None), "{error}");
        assert_eq!(context.attempts(), [], "nothing was sent");
    }
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert!(matches!(look(&pool, "a").standing, Standing::Out { .. }));
    assert_eq!((server.exchanges().len(), names(&mut events)), (1, vec!["out"]));

    // New tokens of a person bring it back.
    pool.update("a", TokenSet::new("a-9").with_refresh("a-r9").expires_at(day(HOUR))).unwrap();
    assert_eq!((look(&pool, "a").standing, in_flight(&pool)), (Standing::Ready, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_many_lost_logins_says_so() {
    let wall = wall();
    let server = ScriptedTokens::new().otherwise(Grant::refused());
    let ids: Vec<_> = (0..25).map(|id| format!("account {id}")).collect();
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server).clock(wall);
    let pool = pool.credentials(ids.iter().map(|id| oauth(id, Some(Duration::ZERO)))).build().unwrap();
    let stack = MarathonLayer::new(pool).layer(refusing(&[]));
    for _ in 0..2 {
        let error = stack.clone().oneshot(post()).await.unwrap_err();
        assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::LoginNeeded, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_wait_waits_for_a_failed_exchange_to_be_tried_again() {
    let (pool, server) = one(Some(Duration::ZERO));
    let mut settings = Settings::default();
    settings.when_all_cooling = WhenAllCooling::Wait;
    let stack = MarathonLayer::new(pool.settings(settings).build().unwrap()).layer(refusing(&[]));
    server.set("a", Grant::busy());
    let start = Instant::now();
    let waiting = tokio::spawn(stack.oneshot(post()));
    settle().await;
    server.set("a", Grant::fresh());
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!((server.exchanges().len(), start.elapsed()), (2, seconds(30)));
}
