//! Refreshes that take too long or fail again and again: they hold up no other request, and the token endpoint is left
//! alone.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use oauth_marathon::config::{Resend, Settings};
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::store::{CasOutcome, Entry, MemoryStore, Record, Revision, Store, StoreKey};
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, token_source_fn};
use oauth_marathon::verdict::{Kind, Processed};
use oauth_marathon::{BoxError, Error, ErrorKind, Marathon, MarathonLayer, Pool, RequestContext, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, look, names, oauth, post, refusing, rotating, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

/// How long a token source may take beyond its limit; it is cut off at half of that.
const LAST_WORD: Duration = seconds(1);

/// Longer than anything here may take.
const LONG: Duration = seconds(1000);

/// A pool of these accounts, whose tokens have expired.
pub(super) fn expired(ids: &[&str], server: &ScriptedTokens) -> PoolBuilder {
    let accounts = ids.iter().map(|id| oauth(id, Some(Duration::ZERO)));
    Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).clock(wall()).credentials(accounts)
}

pub(super) fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

pub(super) fn stack(pool: &Pool) -> (Marathon<ScriptedProvider>, ScriptedProvider) {
    let provider = refusing(&[("a-1", 401), ("b-1", 401)]);
    (MarathonLayer::new(pool.clone()).layer(provider.clone()), provider)
}

pub(super) async fn send(stack: &Marathon<ScriptedProvider>, context: &RequestContext) -> Result<u16, BoxError> {
    let call = context.clone().scope(stack.clone().oneshot(post()));
    timeout(LONG, call).await.expect("it ends").map(|answer| answer.status().as_u16())
}

pub(super) fn kind(error: &BoxError) -> ErrorKind {
    Error::find(&**error).unwrap().kind()
}

/// Counts how many of it exist.
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
    let limit = seconds(7) + LAST_WORD.min(seconds(7) / 10) / 2;
    assert_eq!((start.elapsed(), provider.tokens()), (limit, vec!["b-2".to_owned()]));
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
async fn tokens_that_come_as_the_limit_of_the_exchange_strikes_are_taken() {
    for late in [0, 1, 300] {
        let limit = seconds(7);
        // A source that keeps to the same limit, and hands over what has come until then.
        let source = token_source_fn(move |_| async move {
            tokio::time::sleep(limit + Duration::from_millis(late)).await;
            Ok::<_, RefreshError>(TokenSet::new("a-2").with_refresh("a-r2"))
        });
        let pool = expired(&["a"], &ScriptedTokens::new()).token_source(source);
        let pool = pool.settings(settings(|settings| settings.exchange_timeout = limit)).build().unwrap();
        let (stack, provider) = stack(&pool);
        assert_eq!(send(&stack, &RequestContext::new()).await.unwrap(), 200, "{late}");
        assert_eq!(provider.tokens(), ["a-2"], "{late}");
    }
}

/// A store whose writes take a second.
struct Slow(MemoryStore);

impl Store for Slow {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        tokio::time::sleep(seconds(1)).await;
        self.0.compare_and_set(key, expected, next).await
    }
}

/// Reports the time at which it is dropped.
struct Ends(mpsc::UnboundedSender<Instant>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_exchange_is_counted_from_the_note_that_other_processes_see() {
    let (ends, mut ended) = mpsc::unbounded_channel();
    let source = token_source_fn(move |_| {
        let ends = Ends(ends.clone());
        async move {
            let _ends = ends;
            std::future::pending().await
        }
    });
    let pool = expired(&["a"], &ScriptedTokens::new()).token_source(source).store(Slow(MemoryStore::new()));
    let pool = pool.settings(settings(|settings| settings.exchange_timeout = seconds(32))).build().unwrap();
    let (stack, _) = stack(&pool);
    let start = Instant::now();
    send(&stack, &RequestContext::new()).await.unwrap_err();
    assert_eq!(ended.recv().await.unwrap() - start, seconds(32) + LAST_WORD / 2);
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

    // The refresh goes on for requests that still wait, and for later ones.
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
async fn however_many_wait_for_a_refresh_that_hangs_all_go_on_with_the_next_account_and_it_costs_no_resend() {
    let server = rotating(wall(), HOUR);
    server.hold();
    let limited = settings(|settings| settings.attempt_timeout = Some(seconds(1)));
    let pool = expired(&["a"], &server).credential(oauth("b", Some(HOUR))).settings(limited).build().unwrap();
    let mut events = pool.events();
    let provider = ScriptedProvider::new();
    let stack = MarathonLayer::new(pool.clone()).layer(provider.clone());
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let stack = stack.clone();
        calls.spawn(async move {
            let context = RequestContext::new();
            (send(&stack, &context).await.map_err(|error| error.to_string()), context.attempts().len())
        });
    }
    let start = Instant::now();
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes, vec![(Ok(200), 2); 100]);
    assert_eq!((provider.tokens(), start.elapsed()), (vec!["b-1".to_owned(); 100], seconds(1)));
    let told = names(&mut events).into_iter().filter(|name| *name == "timed_out").count();
    assert_eq!(told, 100, "each time limit that strikes is told");

    // The budget of resends is untouched: a server error is sent once more.
    provider.set("b-1", Reply::status(500));
    let _ = send(&stack, &RequestContext::new()).await;
    assert_eq!(provider.tokens().len(), 102);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_failed_does_not_hide_that_the_next_attempt_takes_too_long() {
    let server = rotating(wall(), HOUR);
    server.hold();
    let limited = settings(|settings| settings.attempt_timeout = Some(seconds(1)));
    let b = oauth("b", Some(HOUR));
    let pool = expired(&[], &server).credentials([b, oauth("a", Some(Duration::ZERO))]).settings(limited);
    let pool = pool.build().unwrap();
    let event =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}\n\n";
    let stream = Reply::status(200).header("content-type", "text/event-stream").body(event);
    let provider = ScriptedProvider::new().always("b-1", stream);
    let stack = MarathonLayer::new(pool.clone()).layer(provider.clone());
    let (context, start) = (RequestContext::new(), Instant::now());
    let _ = send(&stack, &context).await;
    let tried: Vec<_> = context.attempts().into_iter().filter_map(|attempt| attempt.credential).collect();
    assert_eq!(tried, ["b", "a"]);
    assert_eq!((start.elapsed(), provider.tokens()), (seconds(1), vec!["b-1".to_owned()]));
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
    assert_eq!(start.elapsed(), Settings::default().exchange_timeout + LAST_WORD / 2);
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
