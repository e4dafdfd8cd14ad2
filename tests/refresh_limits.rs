//! Refreshes that take too long or fail again and again: nobody is held up by them, and the token endpoint is left alone.

#[path = "support/accounts.rs"]
mod accounts;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use accounts::{ORIGIN, day, look, names, oauth, post, refusing, rotating, seconds, settle, wall};
use oauth_marathon::config::{Resend, Settings, WhenAllCooling};
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::store::{CasOutcome, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::testing::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, token_source_fn};
use oauth_marathon::verdict::{Kind, Processed};
use oauth_marathon::{BoxError, Error, ErrorKind, Generation, Marathon, MarathonLayer, Pool, RequestContext, TokenSet};
use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt};

const HOUR: Duration = seconds(3600);

/// Longer than anything here may take.
const LONG: Duration = seconds(1000);

/// A pool of these accounts, whose tokens have expired.
fn expired(ids: &[&str], server: &ScriptedTokens) -> PoolBuilder {
    let accounts = ids.iter().map(|id| oauth(id, Some(Duration::ZERO)));
    Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall()).credentials(accounts)
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

fn stack(pool: &Pool) -> (Marathon<ScriptedProvider>, ScriptedProvider) {
    let provider = refusing(&[("a-1", 401), ("b-1", 401)]);
    (MarathonLayer::new(pool.clone()).layer(provider.clone()), provider)
}

async fn send(stack: &Marathon<ScriptedProvider>, context: &RequestContext) -> Result<u16, BoxError> {
    let call = context.clone().scope(stack.clone().oneshot(post()));
    timeout(LONG, call).await.expect("it ends").map(|answer| answer.status().as_u16())
}

fn kind(error: &BoxError) -> ErrorKind {
    Error::find(&**error).unwrap().kind()
}

/// Counts itself while it lives.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_source_that_never_returns_is_a_failure_for_now_and_is_let_go() {
    let (store, alive) = (MemoryStore::new(), Arc::new(AtomicUsize::new(0)));
    let exchanging = alive.clone();
    let source = token_source_fn(move |request: RefreshRequest| {
        exchanging.fetch_add(1, Relaxed);
        let alive = Alive(exchanging.clone());
        async move {
            if request.credential().as_str() == "a" {
                std::future::pending::<()>().await;
            }
            drop(alive);
            Ok::<_, RefreshError>(TokenSet::new("b-2"))
        }
    });
    let pool = expired(&["a", "b"], &ScriptedTokens::new()).token_source(source).store(store.clone());
    let pool = pool.settings(settings(|settings| settings.exchange_timeout = seconds(7))).build().unwrap();
    let mut events = pool.events();
    let (stack, provider) = stack(&pool);
    let start = Instant::now();
    assert_eq!(send(&stack, &RequestContext::new()).await.unwrap(), 200, "another account serves");
    assert_eq!((start.elapsed(), provider.tokens()), (seconds(7), vec!["b-2".to_owned()]));
    assert_eq!(names(&mut events)[0], "refresh_failed");
    let a = look(&pool, "a");
    assert!(matches!(a.standing, Standing::Cooling { cause: Kind::Unauthorized, .. }) && !a.refreshing, "{a:?}");
    assert_eq!(alive.load(Relaxed), 0, "nothing goes on");

    let key = StoreKey::new("openai", "a");
    let held = store.load(&key).await.unwrap().unwrap().record;
    assert!(held.intent.is_some(), "nobody knows whether the refresh token is spent");
    assert_eq!(held.credential, oauth("a", Some(Duration::ZERO)), "the token set is kept");
    assert!(store.lease(&key, Duration::ZERO).await.unwrap().is_some(), "the lease is given back");
    timeout(LONG, pool.shutdown()).await.expect("nothing holds up a shutdown");
}

#[tokio::test(start_paused = true)]
async fn a_request_leaves_at_its_deadline_while_its_token_is_refreshed() {
    let server = rotating(wall(), HOUR);
    server.set("a", Grant::fresh().after(seconds(20)));
    let pool = expired(&["a", "b"], &server).build().unwrap();
    let (stack, provider) = stack(&pool);
    let start = Instant::now();
    let late = RequestContext::new().with_timeout(seconds(5));
    let error = send(&stack, &late).await.unwrap_err();
    assert_eq!((kind(&error), start.elapsed()), (ErrorKind::AttemptTimeout, seconds(5)), "{error}");
    assert!(error.to_string().contains("the deadline passed while the token of \"a\" was being refreshed"), "{error}");
    assert_eq!((late.attempts(), provider.tokens()), (vec![], vec![]), "nothing was sent");

    // The refresh goes on, for whoever still waits and for those to come.
    assert_eq!(send(&stack, &RequestContext::new().with_timeout(seconds(60))).await.unwrap(), 200);
    assert_eq!((start.elapsed(), server.spent()), (seconds(20), vec!["a-r1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_ends_at_the_deadline_begins_no_attempt() {
    let server = rotating(wall(), HOUR);
    server.set("a", Grant::fresh().after(seconds(5)));
    let pool = expired(&["a"], &server).build().unwrap();
    let (stack, provider) = stack(&pool);
    let error = send(&stack, &RequestContext::new().with_timeout(seconds(5))).await.unwrap_err();
    assert_eq!((kind(&error), provider.tokens()), (ErrorKind::AttemptTimeout, vec![]));
    assert_eq!(send(&stack, &RequestContext::new()).await.unwrap(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_while_its_token_is_refreshed_was_not_sent_and_the_next_account_serves() {
    for resend in [Resend::Always, Resend::Safe] {
        let server = rotating(wall(), HOUR);
        server.hold();
        let limited = settings(|settings| {
            settings.attempt_timeout = Some(seconds(1));
            settings.resend = resend;
        });
        let pool = expired(&["a"], &server).credential(oauth("b", Some(HOUR))).settings(limited).build().unwrap();
        let provider = ScriptedProvider::new();
        let stack = MarathonLayer::new(pool.clone()).layer(provider.clone());
        let (context, start) = (RequestContext::new(), Instant::now());
        assert_eq!(send(&stack, &context).await.unwrap(), 200, "{resend:?}");
        assert_eq!((provider.tokens(), start.elapsed()), (vec!["b-1".to_owned()], seconds(1)), "{resend:?}");
        let first = context.attempts().remove(0);
        let verdict = first.verdict.unwrap();
        assert_eq!(first.credential.unwrap(), "a");
        assert_eq!((verdict.kind(), verdict.processed()), (Kind::Network, Processed::No), "{resend:?}");
        let a = look(&pool, "a");
        assert_eq!((a.failures, a.refreshing), (0, true), "it is not the account's fault: {resend:?}");
        server.release();
        settle().await;
        assert_eq!((look(&pool, "a").standing, server.spent()), (Standing::Ready, vec!["a-r1".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_where_no_other_account_is_ready_fails() {
    let server = rotating(wall(), HOUR);
    server.hold();
    let limited = settings(|settings| settings.attempt_timeout = Some(seconds(1)));
    let pool = expired(&["a"], &server).settings(limited).build().unwrap();
    let (stack, provider) = stack(&pool);
    let error = send(&stack, &RequestContext::new()).await.unwrap_err();
    assert_eq!((kind(&error), provider.tokens()), (ErrorKind::AttemptTimeout, vec![]));
    assert_eq!(pool.snapshot().credentials[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_no_longer_than_an_exchange_may_take() {
    let server = ScriptedTokens::new().otherwise(Grant::pending());
    let pool = expired(&["a", "b"], &server).build().unwrap();
    let (stack, _) = stack(&pool);
    let call = tokio::spawn(stack.clone().oneshot(post()));
    settle().await;
    let start = Instant::now();
    timeout(LONG, pool.shutdown()).await.expect("it ends");
    assert_eq!(start.elapsed(), Settings::default().exchange_timeout);
    assert_eq!(kind(&call.await.unwrap().unwrap_err()), ErrorKind::Closed);
    assert_eq!(server.asked(), ["a"], "nothing begins any more");
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_its_token_is_refreshed_leaves_no_attempt_behind() {
    let server = rotating(wall(), HOUR);
    server.hold();
    let pool = expired(&["a"], &server).build().unwrap();
    let (stack, _) = stack(&pool);
    let context = RequestContext::new();
    let call = tokio::spawn(context.clone().scope(stack.clone().oneshot(post())));
    settle().await;
    call.abort();
    settle().await;
    assert_eq!(context.attempts(), []);
}

/// How often a refresh token is sent in a day in which a request comes every minute, and how many events there are.
async fn a_day(pool: &Pool, server: &ScriptedTokens) -> (usize, usize) {
    let mut events = pool.events();
    let (stack, _) = stack(pool);
    let mut told = 0;
    for _ in 0..24 * 60 {
        let _ = send(&stack, &RequestContext::new()).await;
        settle().await;
        told += names(&mut events).len();
        tokio::time::advance(seconds(60)).await;
    }
    (server.exchanges().len(), told)
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_refused_for_now_again_and_again_is_sent_some_30_times_a_day() {
    for mode in [WhenAllCooling::Answer, WhenAllCooling::Wait, WhenAllCooling::Probe, WhenAllCooling::Error] {
        let server = ScriptedTokens::new().otherwise(Grant::busy());
        let cooling = settings(|settings| settings.when_all_cooling = mode);
        let (sent, told) = a_day(&expired(&["a"], &server).settings(cooling).build().unwrap(), &server).await;
        assert!((20..=32).contains(&sent) && told <= 4 * sent, "{mode:?}: {sent} exchanges, {told} events");
    }
    // The same before its end: early refreshes of a token that is still valid.
    let server = ScriptedTokens::new().otherwise(Grant::busy());
    let margin = settings(|settings| settings.refresh_margin = 100 * HOUR);
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall()).settings(margin);
    let pool = pool.credential(oauth("c", Some(1000 * HOUR))).build().unwrap();
    tokio::time::advance(930 * HOUR).await;
    let (sent, told) = a_day(&pool, &server).await;
    assert!((20..=32).contains(&sent) && told <= sent, "{sent} exchanges, {told} events");
}

/// For how long `a` rests.
fn rest(pool: &Pool) -> Option<Duration> {
    match look(pool, "a").standing {
        Standing::Cooling { cooldown, .. } => Some(cooldown),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_grows_from_its_beginning_again_after_a_success_and_after_new_tokens() {
    let (server, store) = (rotating(wall(), seconds(1)), MemoryStore::new());
    server.set("a", Grant::busy());
    let pool = expired(&[], &server).store(store.clone()).open().await.unwrap();
    pool.add(oauth("a", Some(Duration::ZERO))).unwrap();
    let (stack, _) = stack(&pool);
    let fail = async || {
        let outcome = send(&stack, &RequestContext::new()).await;
        assert!(outcome.is_err(), "{outcome:?} {:?}", look(&pool, "a"));
        let rest = rest(&pool).unwrap();
        tokio::time::sleep(rest).await;
        rest.as_secs()
    };
    assert_eq!([fail().await, fail().await, fail().await], [30, 60, 120]);

    server.set("a", Grant::fresh());
    assert_eq!(send(&stack, &RequestContext::new()).await.unwrap(), 200);
    server.set("a", Grant::busy());
    tokio::time::sleep(seconds(1)).await;
    assert_eq!([fail().await, fail().await], [30, 60], "after a success");

    pool.update("a", TokenSet::new("p").with_refresh("p-r").expires_at(day(Duration::ZERO))).unwrap();
    assert_eq!([fail().await, fail().await], [30, 60], "after tokens of a person");

    pool.flush().await.unwrap();
    let key = StoreKey::new("openai", "a");
    let held = store.load(&key).await.unwrap().unwrap();
    let next = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(held.record.generation.get() + 1));
    let stored = store.compare_and_set(&key, Some(held.revision), Some(next)).await.unwrap();
    assert!(matches!(stored, CasOutcome::Stored(_)));
    tokio::time::sleep(seconds(1)).await;
    assert_eq!([fail().await, fail().await], [30, 60], "after tokens from the store");
}

#[tokio::test(start_paused = true)]
async fn a_stated_time_does_not_grow_and_neither_does_the_rest_after_no_answer() {
    let stated = Grant::error(RefreshError::transient("scripted: busy").with_retry_after(seconds(45)));
    for (grant, seconds) in [(stated, 45), (Grant::pending(), 30), (Grant::panic(), 30)] {
        let server = ScriptedTokens::new().always("a", grant);
        let pool = expired(&["a"], &server).build().unwrap();
        let (stack, _) = stack(&pool);
        for _ in 0..4 {
            assert!(send(&stack, &RequestContext::new()).await.is_err());
            assert_eq!(rest(&pool), Some(Duration::from_secs(seconds)));
            tokio::time::sleep(rest(&pool).unwrap()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_asks_for_each_refresh_once() {
    for mode in [WhenAllCooling::Answer, WhenAllCooling::Wait, WhenAllCooling::Probe, WhenAllCooling::Error] {
        // A loop shows as exchanges without end; from some on they hang, so that the test does not.
        let endless = |number: usize| (number > 50).then(Grant::pending);
        let server = ScriptedTokens::new().otherwise(Grant::busy());
        let server = server.answering(move |exchange| endless(exchange.number));
        let cooling = settings(|settings| {
            settings.when_all_cooling = mode;
            settings.max_wait = seconds(10);
        });
        let pool = expired(&["a", "b", "c"], &server).settings(cooling).build().unwrap();
        let (stack, provider) = stack(&pool);
        for _ in 0..20 {
            let _ = send(&stack, &RequestContext::new()).await;
        }
        assert_eq!((server.asked(), provider.tokens()), (vec!["a".into(), "b".into(), "c".into()], vec![]), "{mode:?}");
        tokio::time::advance(seconds(30)).await;
        let _ = send(&stack, &RequestContext::new()).await;
        assert_eq!(server.exchanges().len(), 6, "{mode:?}");
    }
}

/// Hands out the tokens that it was to replace.
fn same_again() -> ScriptedTokens {
    ScriptedTokens::new().fresh_as(|exchange| exchange.tokens.clone())
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_hands_out_the_same_token_is_asked_once_after_a_401() {
    let server = same_again();
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(HOUR))).build().unwrap();
    let provider = ScriptedProvider::new().on("a-1", [Reply::status(401)]);
    let stack = MarathonLayer::new(pool.clone()).layer(provider);
    for _ in 0..100 {
        assert_eq!(send(&stack, &RequestContext::new()).await.unwrap(), 200);
    }
    assert_eq!((server.exchanges().len(), look(&pool, "a").generation.get()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_hands_out_the_same_token_is_asked_after_growing_pauses() {
    for (life, most) in [(HOUR, 4), (Duration::ZERO, 4)] {
        let server = same_again();
        let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall());
        let pool = pool.credential(oauth("a", Some(life))).build().unwrap();
        let (stack, _) = stack(&pool);
        tokio::time::advance(life.saturating_sub(seconds(290))).await;
        // A request every second for four minutes: at 0, 30, 90 and 210 s.
        for _ in 0..240 {
            let _ = send(&stack, &RequestContext::new()).await;
            settle().await;
            tokio::time::advance(seconds(1)).await;
        }
        let exchanges = server.exchanges().len();
        assert!((1..=most).contains(&exchanges), "{exchanges} exchanges of a token that lives {life:?}");
    }
}
