//! The caller goes away: whatever the request was doing, nothing is left behind and no credential is blamed.

use std::time::Duration;

use http_body_util::BodyExt;
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::events::EventStream;
use oauth_marathon::pool::Standing;
use oauth_marathon::{Marathon, MarathonLayer, Pool, RequestContext};
use oauth_marathon_test::{BodyStep, BodyWatch, Reply, ScriptedBody, ScriptedProvider, ScriptedTokens};
use tokio_test::task;
use tower::{Layer, ServiceExt};

use crate::support::accounts::{self, in_flight, keys, look, names, oauth, post, rotating, seconds, settle, wall};

/// A request that passes through every state: it waits for a refresh, is limited with a slow body, fails over, waits after a
/// 503, waits for a recovery, and streams.
struct Scene {
    pool: Pool,
    server: ScriptedTokens,
    provider: ScriptedProvider,
    events: EventStream,
    stack: Marathon<ScriptedProvider>,
    /// The bodies of the failed answers.
    bodies: BodyWatch,
}

impl Scene {
    fn new() -> Self {
        let wall = wall();
        let server = rotating(wall.clone(), seconds(36_000));
        let mut settings = Settings::default();
        settings.when_all_cooling = WhenAllCooling::Wait;
        let pool = Pool::builder("openai").origin(accounts::ORIGIN).settings(settings).clock(wall);
        let pool = pool.token_source(server.clone()).credentials([oauth("a", Some(seconds(0))), oauth("b", None)]);
        let pool = pool.build().unwrap();
        let slow_body = ScriptedBody::new([
            BodyStep::Yield,
            BodyStep::data("slow"),
            BodyStep::Pause(Duration::from_millis(100)),
            BodyStep::data("down"),
        ]);
        let bodies = slow_body.watch();
        let slow = |status| Reply::status(status).stream(slow_body.clone()).yielding();
        let limited = || slow(429).header("retry-after", "2");
        let good = ScriptedBody::new([BodyStep::data("first"), BodyStep::Yield, BodyStep::data("second")]);
        let provider = ScriptedProvider::new().then(limited()).then(slow(503)).then(limited());
        let provider = provider.otherwise(Reply::ok().stream(good).yielding()).ready_late(1);
        let stack = MarathonLayer::new(pool.clone()).layer(provider.clone());
        Self { events: pool.events(), pool, server, provider, stack, bodies }
    }
}

/// The state of a pending request, read from outside.
fn state(scene: &Scene, context: &RequestContext) -> &'static str {
    let last = context.attempts().last().map(|attempt| attempt.verdict.map(|verdict| verdict.kind()));
    match last {
        None => "leasing",
        Some(None) if scene.bodies.open() == 0 => "calling",
        Some(None) => "reading the failed body",
        Some(Some(_)) => "waiting",
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_be_dropped_after_any_number_of_polls() {
    let mut states = Vec::new();
    for polls in 0.. {
        let mut scene = Scene::new();
        let context = RequestContext::new();
        let mut request = task::spawn(context.clone().scope(scene.stack.clone().oneshot(post())));
        let mut answer = None;
        for _ in 0..polls {
            if let std::task::Poll::Ready(outcome) = request.poll() {
                answer = Some(outcome.unwrap());
                break;
            }
            settle().await;
            if !request.is_woken() {
                tokio::time::advance(Duration::from_millis(60)).await;
            }
        }
        let was = state(&scene, &context);
        let attempts = context.attempts();
        drop(request);

        let expected = attempts.iter().filter(|attempt| attempt.verdict.is_some_and(|verdict| !verdict.is_success()));
        let throttled = expected.filter(|attempt| attempt.verdict.unwrap().status().unwrap() == 429).count() as u64;
        let failures: u64 = scene.pool.snapshot().credentials.iter().map(|credential| credential.failures).sum();
        assert_eq!(failures, throttled, "only what was answered counts, after {polls} polls ({was})");
        assert_eq!(scene.provider.counts().in_flight, 0, "after {polls} polls ({was})");
        settle().await;
        let canceled = names(&mut scene.events).into_iter().filter(|name| *name == "canceled").count();
        if let Some(answer) = answer {
            assert_eq!((answer.status().as_u16(), attempts.len(), canceled), (200, 4, 0));
            assert_eq!(in_flight(&scene.pool), 1, "the answer streams");
            drop(answer);
            assert_eq!(in_flight(&scene.pool), 0);
            break;
        }
        let called = polls > 1;
        assert_eq!(canceled, usize::from(called), "after {polls} polls ({was})");
        assert_eq!(in_flight(&scene.pool), 0, "after {polls} polls ({was})");
        states.push(was);

        // A refresh that was begun has ended, and its token serves the next request.
        let exchanges = scene.server.exchanges().len();
        assert_eq!(exchanges, usize::from(called), "after {polls} polls ({was})");
        if called {
            assert_eq!(look(&scene.pool, "a").generation.get(), 2, "after {polls} polls ({was})");
        }
        tokio::time::advance(seconds(60)).await;
        let next = scene.stack.clone().oneshot(post()).await.unwrap();
        assert_eq!(next.status(), 200, "after {polls} polls ({was})");
        assert_eq!(scene.server.exchanges().len(), 1, "after {polls} polls ({was})");
    }
    for state in ["leasing", "calling", "reading the failed body", "waiting"] {
        assert!(states.contains(&state), "never was {state}: {states:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_outlives_the_request_that_began_it() {
    let mut scene = Scene::new();
    scene.server.hold();
    let mut request = task::spawn(scene.stack.clone().oneshot(post()));
    for _ in 0..3 {
        assert!(request.poll().is_pending());
        settle().await;
    }
    drop(request);
    assert!(look(&scene.pool, "a").refreshing);
    scene.server.release();
    settle().await;
    assert_eq!((look(&scene.pool, "a").generation.get(), look(&scene.pool, "a").refreshing), (2, false));
    assert_eq!(names(&mut scene.events), ["canceled", "refreshed"]);
    scene.stack.clone().oneshot(post()).await.unwrap();
    assert_eq!(scene.server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_left_in_the_middle_gives_its_place_back_and_blames_nobody() {
    let pool = keys(&["a"]).build().unwrap();
    let mut events = pool.events();
    let probe =
        ScriptedProvider::new().then(Reply::ok().stream(ScriptedBody::new([BodyStep::data("one"), BodyStep::Stall])));
    let mut body = MarathonLayer::new(pool.clone()).layer(probe).oneshot(post()).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    assert_eq!(in_flight(&pool), 1);
    drop(body);
    let a = look(&pool, "a");
    assert_eq!((a.in_flight, a.successes, a.failures, a.standing), (0, 1, 0, Standing::Ready));
    assert_eq!(names(&mut events), [""; 0], "it was answered");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_lets_the_next_request_probe() {
    let mut settings = Settings::default();
    settings.when_all_cooling = WhenAllCooling::Probe;
    let pool = keys(&["a"]).settings(settings).build().unwrap();
    let probe = ScriptedProvider::new().then(Reply::status(429)).then(Reply::pending());
    let stack = MarathonLayer::new(pool.clone()).layer(probe.clone());
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 429);
    let probing = tokio::spawn(stack.clone().oneshot(post()));
    settle().await;
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 429, "one probes at a time");
    assert_eq!(probe.counts().calls, 2);
    probing.abort();
    settle().await;
    assert_eq!(in_flight(&pool), 0);
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((probe.counts().calls, probe.counts().cancelled), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_task_panics_leaves_nothing_behind() {
    let pool = keys(&["a"]).build().unwrap();
    let probe = ScriptedProvider::new().on("a", [Reply::panic()]);
    let stack = MarathonLayer::new(pool.clone()).layer(probe.clone());
    let context = RequestContext::new();
    let request = tokio::spawn(context.clone().scope(stack.oneshot(post())));
    assert!(request.await.unwrap_err().is_panic());
    assert_eq!((in_flight(&pool), probe.counts().in_flight, look(&pool, "a").failures), (0, 0, 0));
    assert_eq!(context.attempts().len(), 1);
}
