//! Which events come, in which order, and what people read.

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::sync::mpsc;

use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::events::{Event, EventStream};
use oauth_marathon::layers::replay::ReplayBody;
use oauth_marathon::pool::PoolBuilder;
use oauth_marathon::{Credential, RequestContext, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tokio::time::Instant;

use crate::support::stage::{self, Stage, key, login, pass, pool, post, seconds, settings, under};

fn stage(pool: PoolBuilder, provider: ScriptedProvider) -> (Stage, EventStream) {
    let stage = Stage::new(pool, provider);
    let events = stage.pool.events();
    (stage, events)
}

/// The events so far, as people read them.
fn lines(events: &mut EventStream) -> Vec<String> {
    std::iter::from_fn(|| events.try_recv()).map(|event| event.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_told_first_and_then_the_switch() {
    let a = Credential::new("a", TokenSet::new("t0ken")).label("work");
    let (stage, mut events) =
        stage(pool(&[]).credentials([a, login("b")]), ScriptedProvider::new().always("t0ken", Reply::limited(20)));
    stage.post().await;
    let (cooling, switch) = (events.try_recv().unwrap(), events.try_recv().unwrap());
    assert!(matches!(&cooling, Event::CoolingDown { credential, cooldown, .. }
        if credential.id == "a" && *cooldown == seconds(20)));
    assert!(matches!(&switch, Event::FailedOver { from, to, status, .. }
        if from.id == "a" && to.id == "b" && status.unwrap() == 429));
    assert_eq!(cooling.to_string(), "Credential \"work\" of \"openai\" cools down for 20 s: rate limited.");
    assert_eq!(
        switch.to_string(),
        "Rate limited on \"openai\". Switching OAuth credential... (from \"work\" to \"b\")"
    );
    assert_eq!(events.try_recv(), None);
    assert!(!format!("{cooling:?}{switch:?}").contains("t0ken"));
}

#[tokio::test(start_paused = true)]
async fn of_many_requests_that_are_limited_at_once_one_cooldown_is_told() {
    let (stage, mut events) =
        stage(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(20).after(seconds(1))));
    let requests: Vec<_> = (0..10).map(|_| stage.spawn()).collect();
    for request in requests {
        request.await.unwrap();
    }
    let names = stage::names(&mut events);
    assert_eq!(names.iter().filter(|name| **name == "cooling_down").count(), 1);
    assert_eq!(names.iter().filter(|name| **name == "failed_over").count(), 10, "each of them has switched");
}

#[tokio::test(start_paused = true)]
async fn a_notifier_hears_the_same_in_the_same_order() {
    let (tell, told) = mpsc::channel();
    let notified =
        pool(&["a", "b"]).notifier(move |event: &Event| tell.send(event.clone()).expect("it is listened to"));
    let (stage, mut events) =
        stage(notified, ScriptedProvider::new().always("a", Reply::limited(1)).always("b", Reply::limited(2)));
    stage.post().await;
    pass(3).await;
    let streamed: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    assert_eq!(streamed.len(), 6);
    drop(stage);
    assert_eq!(told.into_iter().collect::<Vec<_>>(), streamed);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_told_and_is_no_switch() {
    let source = pool(&["a", "b"]).token_source(ScriptedTokens::new());
    let (stage, mut events) = stage(source, ScriptedProvider::new().always("a", Reply::status(401)));
    stage.post().await;
    assert_eq!(lines(&mut events), ["Credential \"a\" of \"openai\" has a new token."]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_over_is_told_once_and_before_the_switch() {
    let tokens = ScriptedTokens::new().always("a", Grant::refused());
    let (stage, mut events) =
        stage(pool(&["a", "b"]).token_source(tokens), ScriptedProvider::new().always("a", Reply::status(401)));
    stage.post().await;
    stage.post().await;
    assert_eq!(
        lines(&mut events),
        [
            "Credential \"a\" of \"openai\" needs a new login: its refresh token was refused.",
            "Auth error on \"openai\". Switching OAuth credential... (from \"a\" to \"b\")",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_for_now_is_told_with_its_cause() {
    let tokens = ScriptedTokens::new().always("a", Grant::busy());
    let (stage, mut events) =
        stage(pool(&["a", "b"]).token_source(tokens), ScriptedProvider::new().always("a", Reply::status(401)));
    stage.post().await;
    assert_eq!(
        lines(&mut events),
        [
            "The token of credential \"a\" of \"openai\" could not be refreshed: scripted: the server is busy",
            "Credential \"a\" of \"openai\" cools down for 30 s: token not accepted.",
            "Auth error on \"openai\". Switching OAuth credential... (from \"a\" to \"b\")",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn exhaustion_is_told_once_until_an_account_has_recovered() {
    let provider = ScriptedProvider::new().always("a", Reply::limited(60)).always("b", Reply::limited(20));
    let (stage, mut events) = stage(pool(&["a", "b"]), provider);
    for _ in 0..5 {
        stage.post().await;
    }
    let names = stage::names(&mut events);
    assert_eq!(names, ["cooling_down", "failed_over", "cooling_down", "exhausted"]);
    pass(30).await;
    stage.post().await;
    assert_eq!(
        lines(&mut events),
        [
            "Credential \"b\" of \"openai\" is ready again.",
            "Credential \"b\" of \"openai\" cools down for 20 s: rate limited.",
            "No OAuth credential of \"openai\" can be used; the first is expected back in 20 s.",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_told_at_its_time_though_nobody_asks() {
    let provider = ScriptedProvider::new().always("a", Reply::limited(5)).always("b", Reply::limited(2));
    let (stage, mut events) = stage(pool(&["a", "b"]), provider);
    stage.post().await;
    let start = Instant::now();
    let mut recovered = Vec::new();
    while recovered.len() < 2 {
        if let Event::Recovered { credential, .. } = events.recv().await.unwrap() {
            recovered.push((credential.id.to_string(), start.elapsed().as_secs()));
        }
    }
    assert_eq!(recovered, [("b".to_owned(), 2), ("a".to_owned(), 5)]);
    assert_eq!(stage.order(), ["b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_another_one_convicts_is_told_to_cool_after_the_switch() {
    let keys = pool(&[]).credentials([key("k"), key("l")]);
    let (stage, mut events) = stage(keys, ScriptedProvider::new().always("k", Reply::status(403)));
    stage.post().await;
    assert_eq!(stage::names(&mut events), ["failed_over", "cooling_down"]);
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_told_only_if_this_request_makes_it() {
    // The body cannot be sent again.
    let (once, mut events) = stage(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(20)));
    once.send(post().map(|body| ReplayBody::new(body, 4))).await;
    assert_eq!(stage::names(&mut events), ["cooling_down"]);

    // No more accounts are to be tried.
    let one = settings(|it| it.max_attempts = NonZeroU32::new(1));
    let (capped, mut events) =
        stage(pool(&["a", "b"]).settings(one), ScriptedProvider::new().always("a", Reply::limited(20)));
    capped.post().await;
    assert_eq!(stage::names(&mut events), ["cooling_down", "attempts_used_up"]);

    // No time is left.
    let (late, mut events) =
        stage(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(20).after(seconds(2))));
    late.send(under(&RequestContext::new().with_timeout(seconds(1)), post())).await;
    assert_eq!(stage::names(&mut events), ["cooling_down"]);

    // The same account has recovered while the request waited.
    let waits = settings(|it| it.when_all_cooling = WhenAllCooling::Wait);
    let (waited, mut events) =
        stage(pool(&["a"]).settings(waits), ScriptedProvider::new().on("a", [Reply::limited(2)]));
    assert_eq!(waited.post().await.status, 200);
    assert_eq!(stage::names(&mut events), ["cooling_down", "exhausted", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_or_at_fault_is_no_news() {
    let (stage, mut events) = stage(
        pool(&["a", "b"]),
        ScriptedProvider::new().on("a", [Reply::ok(), Reply::status(400)]).always("a", Reply::status(404)),
    );
    for _ in 0..3 {
        stage.post().await;
    }
    assert_eq!(events.try_recv(), None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_is_told_with_the_account_in_use() {
    let (stage, mut events) =
        stage(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(20)).always("b", Reply::pending()));
    let waiting = stage.spawn();
    pass(1).await;
    waiting.abort();
    assert!(waiting.await.is_err());
    assert_eq!(lines(&mut events).last().unwrap(), "The caller went away after 2 attempts, the last with \"b\".");
}

#[tokio::test(start_paused = true)]
async fn a_switch_has_a_notice_for_people_that_says_why_and_how_long_to_show_it() {
    let reset = || Reply::error(ErrorKind::ConnectionReset);
    for (reply, cause) in [
        (Reply::status(429), "Rate limited"),
        (Reply::status(401), "Auth error"),
        (Reply::status(403), "Auth error"),
        (Reply::status(402), "Request failed"),
        (Reply::status(500), "Request failed"),
        (reset(), "Request failed"),
    ] {
        let short = settings(|it| it.toast_duration = seconds(3));
        let keys = || pool(&[]).credentials([key("k"), key("l")]);
        for (pool, duration) in [(keys(), seconds(8)), (keys().settings(short), seconds(3))] {
            let (stage, mut events) = stage(pool, ScriptedProvider::new().always("k", reply.clone()));
            stage.post().await;
            let toasts: Vec<_> =
                std::iter::from_fn(|| events.try_recv()).filter_map(|event: Event| event.toast()).collect();
            let [toast] = &toasts[..] else { panic!("one notice: {toasts:?}") };
            assert_eq!(toast.title, "OAuth Credential Failover");
            assert_eq!(toast.message, format!("{cause} on \"openai\". Switching OAuth credential..."));
            assert_eq!((toast.duration, toast.severity.as_str()), (duration, "warning"));
        }
    }
}
