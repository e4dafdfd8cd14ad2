//! Tests of scripts: bodies, readiness, tokens, stores and the clock.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clock::WallClock;
use oauth_marathon::store::{CasOutcome, HealthChange, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::{RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Generation, Secret, TokenSet};
use tokio::sync::Semaphore;
use tokio_test::task;
use tower::{Service, ServiceExt};

use oauth_marathon_test::{
    BodyStep, Grant, ManualClock, Reply, Save, ScriptedBody, ScriptedProvider, ScriptedStore, ScriptedTokens, StoreCall,
};

const SECOND: Duration = Duration::from_secs(1);

fn with(token: &str) -> Request<Full<Bytes>> {
    Request::post("/v1").header("authorization", format!("Bearer {token}")).body(Full::from("{}")).unwrap()
}

async fn status(provider: &ScriptedProvider, token: &str) -> u16 {
    provider.clone().oneshot(with(token)).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn after_its_script_a_token_is_told_what_it_is_always_told_until_that_is_set_anew() {
    let provider = ScriptedProvider::new()
        .on("a", [Reply::status(500)])
        .always("a", Reply::status(429))
        .on("b", [Reply::status(503), Reply::status(504)]);
    assert_eq!(
        [status(&provider, "a").await, status(&provider, "a").await, status(&provider, "a").await],
        [500, 429, 429]
    );
    assert_eq!(status(&provider, "b").await, 503);
    provider.set("b", Reply::status(418));
    assert_eq!([status(&provider, "b").await, status(&provider, "b").await], [418, 418]);
}

#[tokio::test]
async fn a_closure_answers_before_all_scripts_and_may_look_at_the_provider() {
    let provider = ScriptedProvider::new().on("a", [Reply::status(500)]);
    let seen = provider.clone();
    let provider = provider.answering(move |request| match seen.requests().len() {
        0 => None,
        _ => (request.token() == Some("a")).then(|| Reply::status(401)),
    });
    assert_eq!([status(&provider, "a").await, status(&provider, "a").await], [500, 401]);
    let key = Request::get("/").header("x-api-key", "k").body(Full::<Bytes>::default()).unwrap();
    provider.clone().oneshot(key).await.unwrap();
    assert_eq!(provider.tokens(), ["a", "a", "k"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_be_held_or_panic() {
    let gate = Arc::new(Semaphore::new(0));
    let provider = ScriptedProvider::new().on("a", [Reply::ok().held(gate.clone()), Reply::ok().held(gate.clone())]);
    let mut calls = [0, 1].map(|_| task::spawn(provider.clone().oneshot(with("a"))));
    assert!(calls.iter_mut().all(|call| call.poll().is_pending()));
    gate.add_permits(1);
    assert!(calls[0].is_woken() && calls[0].poll().is_ready() && calls[1].poll().is_pending());
    assert_eq!((provider.counts().in_flight, provider.counts().completed), (1, 1));

    let mut yielding = task::spawn(ScriptedProvider::new().then(Reply::ok().yielding()).oneshot(with("a")));
    assert!(yielding.poll().is_pending() && yielding.poll().is_ready());

    let provider = ScriptedProvider::new().otherwise(Reply::panic());
    assert!(tokio::spawn(provider.clone().oneshot(with("a"))).await.unwrap_err().is_panic());
    assert_eq!((provider.counts().in_flight, provider.counts().cancelled), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_comes_step_by_step() {
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
    let steps = [
        BodyStep::Yield,
        BodyStep::data("one"),
        BodyStep::Pause(SECOND),
        BodyStep::Trailers(trailers.clone()),
        BodyStep::Error,
        BodyStep::Stall,
    ];
    let body = ScriptedBody::new(steps);
    let (watch, provider) = (body.watch(), ScriptedProvider::new().otherwise(Reply::status(429).stream(body)));
    assert_eq!(watch.open(), 0);
    let answer = provider.clone().oneshot(with("a")).await.unwrap();
    assert_eq!((answer.status().as_u16(), watch.open(), watch.frames_taken()), (429, 1, 0));
    let mut body = answer.into_body();
    let mut first = task::spawn(body.frame());
    assert!(first.poll().is_pending() && first.is_woken());
    assert_eq!(first.await.unwrap().unwrap().into_data().unwrap(), "one");
    let begun = tokio::time::Instant::now();
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers);
    assert_eq!(begun.elapsed(), SECOND);
    assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "scripted: the body broke off");
    assert!(task::spawn(body.frame()).poll().is_pending());
    assert_eq!((watch.open(), watch.frames_taken()), (1, 3));
    drop(body);
    assert_eq!(watch.open(), 0);
}

#[tokio::test]
async fn a_body_says_its_length_and_its_end_where_it_is_to() {
    let parts = || [BodyStep::data("12345"), BodyStep::data("67")];
    let mut told = ScriptedBody::new(parts()).stating_its_length().telling_its_end();
    assert_eq!((told.size_hint().exact(), told.is_end_stream()), (Some(7), false));
    told.frame().await.unwrap().unwrap();
    assert_eq!(told.size_hint().exact(), Some(2));
    told.frame().await.unwrap().unwrap();
    assert!(told.is_end_stream());
    let untold = ScriptedBody::new([]);
    assert_eq!((untold.size_hint().exact(), untold.is_end_stream()), (None, false));
    assert!(ScriptedBody::default().is_end_stream());
    assert_eq!(ScriptedBody::full("abc").size_hint().exact(), Some(3));
}

fn poll(provider: &mut ScriptedProvider) -> Poll<std::io::Result<()>> {
    task::spawn(()).enter(|cx, _| Service::<Request<Full<Bytes>>>::poll_ready(provider, cx))
}

#[tokio::test]
async fn a_provider_can_be_ready_late_never_or_fail_to_be() {
    let mut late = ScriptedProvider::new().ready_late(2);
    for _ in 0..2 {
        assert!(poll(&mut late).is_pending());
        assert!(poll(&mut late).is_pending());
        assert!(poll(&mut late).is_ready() && poll(&mut late).is_ready(), "it stays ready until it is called");
        late.call(with("a")).await.unwrap();
    }
    let mut never = ScriptedProvider::new().never_ready_after(1);
    ServiceExt::<Request<Full<Bytes>>>::ready(&mut never).await.unwrap().call(with("a")).await.unwrap();
    assert!(poll(&mut never).is_pending() && poll(&mut never.clone()).is_pending());
    let broken = ScriptedProvider::new().readiness_fails_after(1);
    broken.clone().oneshot(with("a")).await.unwrap();
    let error = broken.clone().oneshot(with("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "scripted: the service is broken");
}

#[tokio::test]
#[should_panic(expected = "polled after its readiness had failed")]
async fn a_provider_whose_readiness_failed_is_not_to_be_polled_again() {
    let mut broken = ScriptedProvider::new().readiness_fails_after(0);
    assert!(matches!(poll(&mut broken), Poll::Ready(Err(_))));
    let _ = poll(&mut broken);
}

fn request(credential: &str) -> RefreshRequest {
    RefreshRequest::new("openai", credential, TokenSet::new("t").with_refresh(format!("r-{credential}")))
}

#[tokio::test(start_paused = true)]
async fn tokens_are_granted_by_script() {
    let mine = TokenSet::new("mine");
    let tokens = ScriptedTokens::new()
        .on("a", [Grant::refused(), Grant::busy().after(SECOND), Grant::tokens(mine.clone())])
        .always("b", Grant::pending());
    let refused = tokens.refresh(request("a")).await.unwrap_err();
    assert_eq!(refused.kind(), oauth_marathon::tokens::refresh::RefreshErrorKind::LoginNeeded);
    let begun = tokio::time::Instant::now();
    let busy = tokens.refresh(request("a")).await.unwrap_err();
    assert_eq!((busy.kind(), begun.elapsed()), (oauth_marathon::tokens::refresh::RefreshErrorKind::Transient, SECOND));
    assert_eq!(tokens.refresh(request("a")).await.unwrap(), mine);
    assert_eq!(tokens.refresh(request("a")).await.unwrap(), TokenSet::new("t+").with_refresh("r-a+"));
    assert!(tokio::time::timeout(SECOND, tokens.refresh(request("b"))).await.is_err());
    tokens.set("b", Grant::panic());
    let panicking = tokens.clone();
    assert!(tokio::spawn(async move { panicking.refresh(request("b")).await }).await.unwrap_err().is_panic());
    let fresh =
        tokens.clone().otherwise(Grant::busy()).fresh_as(|exchange| TokenSet::new(format!("n{}", exchange.number)));
    fresh.set("b", Grant::fresh());
    assert_eq!(fresh.refresh(request("b")).await.unwrap(), TokenSet::new("n7"));
    assert!(fresh.refresh(request("c")).await.is_err());
    assert_eq!(tokens.spent(), ["r-a", "r-a", "r-a", "r-a", "r-b", "r-b", "r-b", "r-c"]);
    assert_eq!(tokens.exchanges()[4].credential, "b");
    let odd = tokens.answering(|exchange| (exchange.number % 2 == 1).then(Grant::refused));
    let mut first = task::spawn(odd.refresh(request("b")));
    assert!(first.poll().is_ready(), "the ninth");
    assert_eq!(odd.refresh(request("b")).await.unwrap(), TokenSet::new("n10"));
    assert!(!format!("{odd:?} {:?}", odd.exchanges()).contains("r-a"));
}

#[tokio::test]
async fn tokens_are_held_until_they_are_released() {
    let tokens = ScriptedTokens::new();
    tokens.hold();
    let mut exchange = task::spawn(tokens.refresh(request("a")));
    assert!(exchange.poll().is_pending());
    assert_eq!(tokens.exchanges().len(), 1, "recorded when it begins");
    tokens.release();
    assert!(exchange.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn saves_end_as_the_script_says() {
    let key = StoreKey::new("openai", "a");
    let record = |secret: &str| Record::new(Credential::new("a", Secret::new(secret)), Generation::new(1));
    let theirs = Save::After(Box::new(record("theirs")));
    let saves = [Save::Fails, Save::WorksAndFails, theirs, Save::AfterRemoval, Save::Hangs];
    let store = ScriptedStore::new().saves(saves);
    let save = async |secret: &str| {
        let held = store.memory().load(&key).await.unwrap().map(|held| held.revision);
        store.compare_and_set(&key, held, Some(record(secret))).await
    };
    let held = async || store.memory().load(&key).await.unwrap().map(|held| held.record);
    assert!(save("1").await.is_err() && held().await.is_none());
    assert!(save("2").await.is_err());
    assert_eq!(held().await, Some(record("2")));
    assert!(matches!(save("3").await, Ok(CasOutcome::Conflict(Some(_)))));
    assert_eq!(held().await, Some(record("theirs")));
    assert!(matches!(save("4").await, Ok(CasOutcome::Conflict(None))));
    assert_eq!(held().await, None);
    assert!(tokio::time::timeout(SECOND, save("5")).await.is_err());
    assert!(matches!(save("6").await, Ok(CasOutcome::Stored(_))));

    store.set_unwritable(true);
    store.set_unreadable(true);
    assert!(save("7").await.is_err() && store.load(&key).await.is_err() && store.load_all("openai").await.is_err());
    store.set_unreadable(false);
    assert!(store.load(&key).await.unwrap().is_some());
    let calls = store.take_calls();
    assert_eq!((calls.len(), calls[0], calls[8], store.take_calls().len()), (9, StoreCall::Save, StoreCall::Load, 0));
    store.note_health(&key, Generation::new(1), HealthChange::new());
    assert_eq!((store.notes(), store.clone().clones()), (1, 2));
}

#[test]
#[should_panic(expected = "scripted: the store panics")]
fn notes_can_panic() {
    let store = ScriptedStore::new().panicking_over_notes();
    store.note_health(&StoreKey::new("openai", "a"), Generation::new(1), HealthChange::new());
}

#[tokio::test]
async fn a_store_in_which_all_works_keeps_the_rules() {
    oauth_marathon_test::invariants::check_store(&Arc::new(ScriptedStore::new()), 3).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_running_clock_goes_with_tokios_and_can_jump() {
    let clock = ManualClock::default();
    let begun = clock.now();
    tokio::time::advance(SECOND).await;
    assert_eq!(clock.now(), begun, "it stands still");
    let running = clock.clone().running();
    tokio::time::advance(SECOND).await;
    assert_eq!((running.now(), clock.now()), (begun + SECOND, begun + SECOND));
    clock.advance(SECOND);
    assert_eq!(clock.now(), begun + 2 * SECOND);
    clock.set(begun);
    tokio::time::advance(SECOND).await;
    assert_eq!(clock.now(), begun + SECOND);
}
