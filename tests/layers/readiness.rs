//! What tower asks of a service: readiness is polled on the very instance that is called, nothing is reserved before.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::config::Settings;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::{CredentialLayer, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::tokens::refresh::token_source_fn;
use oauth_marathon::{BoxError, MarathonLayer, Pool, RequestContext, TokenSet};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt};

use crate::support::accounts::{self, in_flight, keys, oauth, post, refusing, rotating, seconds, settle, wall};

/// A provider that breaks the connection at every other call.
fn flaky() -> ScriptedProvider {
    let provider = ScriptedProvider::new();
    (0..3).fold(provider, |provider, _| provider.then(Reply::connection_error()).then(Reply::ok()))
}

/// How often the service was called and has answered, and how many calls are under way.
fn counts(provider: &ScriptedProvider) -> (usize, usize, usize) {
    let counts = provider.counts();
    (counts.calls, counts.completed, counts.in_flight)
}

/// Three calls: two in a row over one instance, and one over a clone.
async fn three_calls<S, RB>(mut service: S) -> Vec<u16>
where
    S: Service<Request<Full<Bytes>>, Response = Response<RB>, Error: Into<BoxError>> + Clone,
{
    let mut answers = Vec::new();
    for _ in 0..2 {
        let ready = service.ready().await.map_err(Into::into).unwrap();
        answers.push(ready.call(post()).await.map_err(Into::into).unwrap().status().as_u16());
    }
    let answer = service.oneshot(post()).await.map_err(Into::into).unwrap();
    answers.push(answer.status().as_u16());
    answers
}

/// Twenty calls at once over clones of one service.
async fn twenty_at_once<S, RB>(service: S) -> usize
where
    S: Service<Request<Full<Bytes>>, Response = Response<RB>, Error: Into<BoxError>> + Clone + Send + 'static,
    S::Future: Send,
    RB: Send + 'static,
{
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let service = service.clone();
        calls.spawn(async move { service.oneshot(post()).await.map_err(Into::into).map(|answer| answer.status()) });
    }
    calls.join_all().await.into_iter().filter(|answer| answer.as_ref().is_ok_and(|status| *status == 200)).count()
}

#[tokio::test(start_paused = true)]
async fn every_layer_alone_calls_only_what_it_has_polled() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let retry = || RetryLayer::new(&Settings::default());
    for slowness in [0, 3] {
        macro_rules! two_attempts {
            ($($layer:expr),* $(,)?) => { $({
                let probe = flaky().ready_late(slowness);
                assert_eq!(three_calls($layer.layer(probe.clone())).await, [200; 3], stringify!($layer));
                assert_eq!(counts(&probe), (6, 6, 0), stringify!($layer));
            })* };
        }
        // The layer under test is the outer or the inner one; two attempts need a retry beside it.
        two_attempts!(
            retry(),
            (NotifyLayer::new(), retry()),
            (retry(), NotifyLayer::new()),
            (ReplayLayer::default(), retry()),
            (retry(), ReplayLayer::default()),
            (retry(), CredentialLayer::new(pool.clone())),
            (retry(), ClassifyLayer::new()),
            (retry(), OriginGuardLayer::new(pool.clone())),
            MarathonLayer::new(pool.clone()),
            (ReplayLayer::default(), MarathonLayer::new(pool.clone())),
        );
    }
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn the_stack_calls_only_what_it_has_polled_whatever_stands_below() {
    macro_rules! below {
        ($($name:literal, $slowness:literal: $wrap:expr),* $(,)?) => { $({
            let pool = keys(&["a", "b"]).build().unwrap();
            let probe = refusing(&[("a", 429)]).ready_late($slowness);
            let stack = MarathonLayer::new(pool.clone()).layer($wrap(probe.clone()));
            assert_eq!(three_calls(stack.clone()).await, [200; 3], $name);
            assert_eq!(twenty_at_once(stack).await, 20, $name);
            assert_eq!((counts(&probe), in_flight(&pool)), ((24, 24, 0), 0), $name);
        })* };
    }
    below!(
        "nothing", 2: |probe: ScriptedProvider| probe,
        "one at a time", 2: |probe| ConcurrencyLimit::new(probe, 1),
        "a queue of one", 2: |probe| Buffer::new(probe, 1),
        "a box", 2: BoxCloneService::<Request<Full<Bytes>>, _, _>::new,
        "load shedding", 0: LoadShed::new,
    );
}

#[tokio::test(start_paused = true)]
async fn the_stack_can_be_called_through_whatever_stands_above() {
    macro_rules! above {
        ($($name:literal: $wrap:expr),* $(,)?) => { $({
            let pool = keys(&["a", "b"]).build().unwrap();
            let probe = refusing(&[("a", 429)]).ready_late(2);
            let service = $wrap(MarathonLayer::new(pool.clone()).layer(probe.clone()));
            assert_eq!(three_calls(service.clone()).await, [200; 3], $name);
            assert_eq!(twenty_at_once(service).await, 20, $name);
            assert_eq!((counts(&probe), in_flight(&pool)), ((24, 24, 0), 0), $name);
        })* };
    }
    above!(
        "one at a time": |stack| ConcurrencyLimit::new(stack, 1),
        "a queue of one": |stack| Buffer::new(stack, 1),
        "a box": BoxCloneService::<Request<Full<Bytes>>, _, _>::new,
    );
}

#[tokio::test(start_paused = true)]
async fn a_shedding_service_that_is_full_is_a_broken_connection_and_no_panic() {
    let pool = keys(&["a"]).build().unwrap();
    let probe = ScriptedProvider::new().otherwise(Reply::pending());
    let stack = MarathonLayer::new(pool.clone()).layer(LoadShed::new(ConcurrencyLimit::new(probe.clone(), 1)));
    let first = tokio::spawn(stack.clone().oneshot(post()));
    settle().await;
    assert!(stack.oneshot(post()).await.unwrap_err().is::<tower::load_shed::error::Overloaded>());
    first.abort();
    settle().await;
    assert_eq!((probe.counts().calls, probe.counts().cancelled, in_flight(&pool)), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_kept_answer_is_returned_where_the_service_breaks_before_the_second_attempt() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let probe = refusing(&[("a", 429)]).readiness_fails_after(1);
    let context = RequestContext::new();
    let answer = context.clone().scope(MarathonLayer::new(pool.clone()).layer(probe.clone()).oneshot(post())).await;
    assert_eq!(answer.unwrap().status(), 429);
    assert_eq!((probe.counts().calls, context.attempts().len(), in_flight(&pool)), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_service_that_never_is_ready_is_returned_as_it_is() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(refusing(&[("a", 429)]).readiness_fails_after(0));
    assert_eq!(stack.oneshot(post()).await.unwrap_err().to_string(), "scripted: the service is broken");
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn the_kept_answer_is_returned_where_the_service_is_not_ready_again_by_the_deadline() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let probe = refusing(&[("a", 429)]).never_ready_after(1);
    let context = RequestContext::new().with_timeout(seconds(5));
    let start = Instant::now();
    let answer = context.scope(MarathonLayer::new(pool.clone()).layer(probe.clone()).oneshot(post())).await;
    assert_eq!((answer.unwrap().status().as_u16(), start.elapsed()), (429, seconds(5)));
    assert_eq!((probe.counts().calls, in_flight(&pool)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn polling_for_readiness_reserves_nothing_in_the_pool() {
    let wall = wall();
    let server = rotating(wall.clone(), seconds(3600));
    let pool = Pool::builder("openai").origin(accounts::ORIGIN).credential(oauth("a", Some(seconds(0))));
    let pool = pool.token_source(server.clone()).clock(wall).build().unwrap();
    let mut stack = MarathonLayer::new(pool.clone()).layer(refusing(&[("a", 429)]));
    for _ in 0..3 {
        ServiceExt::<Request<Full<Bytes>>>::ready(&mut stack).await.unwrap();
    }
    settle().await;
    assert_eq!((in_flight(&pool), server.exchanges().len()), (0, 0));
    assert!(!accounts::look(&pool, "a").refreshing);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_a_refresh_takes_nobody_elses_place() {
    let wall = wall();
    let server = rotating(wall.clone(), seconds(3600));
    server.hold();
    let pool = Pool::builder("openai").origin(accounts::ORIGIN).token_source(server.clone()).clock(wall);
    let pool = pool.credentials([oauth("a", Some(seconds(0))), oauth("b", None)]).build().unwrap();
    let probe = ScriptedProvider::new();
    let stack = MarathonLayer::new(pool.clone()).layer(ConcurrencyLimit::new(probe.clone(), 1));

    let waiting = tokio::spawn(RequestContext::new().with_pin("a").scope(stack.clone().oneshot(post())));
    settle().await;
    assert_eq!((server.exchanges().len(), probe.counts().calls), (1, 0));
    for _ in 0..3 {
        let other = RequestContext::new().with_pin("b").scope(stack.clone().oneshot(post()));
        let other = tokio::time::timeout(seconds(1), other).await.expect("the place is free");
        assert_eq!(other.unwrap().status(), 200);
    }
    server.release();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(probe.counts().calls, 4);
}

#[tokio::test(start_paused = true)]
async fn the_token_source_may_use_the_only_place_of_the_client_that_waits_for_it() {
    let wall = wall();
    let probe = ScriptedProvider::new();
    let client = ConcurrencyLimit::new(probe.clone(), 1);
    let shared = client.clone();
    let source = token_source_fn(move |_| {
        let client = shared.clone();
        async move {
            client.oneshot(post()).await.unwrap();
            Ok(TokenSet::new("fresh"))
        }
    });
    let pool = Pool::builder("openai").origin(accounts::ORIGIN).token_source(source).clock(wall);
    let pool = pool.credential(oauth("a", Some(seconds(0)))).build().unwrap();
    let stack = MarathonLayer::new(pool).layer(client);
    let answers = tokio::time::timeout(seconds(1), twenty_at_once(stack)).await.expect("no deadlock");
    assert_eq!((answers, probe.counts().calls), (20, 21));
}
