//! The request itself: its faults, its pin, its deadline, its caller.

use std::num::NonZeroU32;

use http::Method;
use oauth_marathon::{ErrorKind, RequestContext};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tower::ServiceExt;

use crate::support::stage::{Stage, key, names, pass, pool, post, seconds, settings, under};

#[tokio::test(start_paused = true)]
async fn a_request_at_fault_is_returned_at_once_and_nobody_suffers() {
    for code in [400, 404, 405, 409, 410, 413, 415, 418, 422, 431, 451] {
        let stage =
            Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(code).body("your fault")));
        let answer = stage.post().await;
        assert_eq!((answer.status, answer.body.as_str()), (code, "your fault"));
        assert_eq!(stage.tokens(), ["a"], "{code}");
        assert!(stage.all_ready() && stage.order() == ["a", "b"]);
        assert_eq!(stage.of("a").failures, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_the_request_outranks_load_and_load_outranks_one_account() {
    for (first, second, best) in
        [(403, 429, 429), (429, 403, 429), (401, 402, 402), (429, 400, 400), (402, 503, 503), (429, 503, 503)]
    {
        let keys = pool(&[]).credentials([key("k"), key("l")]);
        let stage = Stage::new(
            keys,
            ScriptedProvider::new().always("k", Reply::status(first)).always("l", Reply::status(second)),
        );
        assert_eq!(stage.post().await.status, best, "{first} {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_report_of_the_attempts_comes_with_the_answer_and_in_the_callers_context() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(429)));
    let context = RequestContext::new();
    let answer = stage.send(under(&context, post())).await;
    let told: Vec<_> = answer
        .attempts
        .iter()
        .map(|attempt| {
            (attempt.number, attempt.credential.as_ref().unwrap().as_str(), attempt.verdict.unwrap().status())
        })
        .collect();
    assert_eq!(told, [(1, "a", Some(429.try_into().unwrap())), (2, "b", Some(200.try_into().unwrap()))]);
    assert_eq!(context.attempts(), answer.attempts);
}

#[tokio::test(start_paused = true)]
async fn no_more_accounts_are_tried_than_the_setting_says() {
    for (most, tokens) in [(1, &["a"][..]), (2, &["a", "b"]), (3, &["a", "b", "c"]), (9, &["a", "b", "c"])] {
        let provider = ["a", "b", "c"].iter().fold(ScriptedProvider::new(), |it, id| it.always(id, Reply::status(429)));
        let settings = settings(|it| it.max_attempts = NonZeroU32::new(most));
        let stage = Stage::new(pool(&["a", "b", "c"]).settings(settings), provider);
        assert_eq!(stage.post().await.status, 429);
        assert_eq!(stage.tokens(), tokens, "{most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_request_is_not_told_of_another_accounts_failure() {
    let provider = ScriptedProvider::new()
        .always("a", Reply::status(429).body("limit of a"))
        .always("b", Reply::status(402).body("bill of b"));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    assert_eq!(stage.post().await.status, 429);
    let told = |id: &str| stage.send(under(&RequestContext::new().with_pin(id), post()));
    assert_eq!((told("b").await.status, told("a").await.status), (402, 429));
    assert!(!told("a").await.body.contains("of b"));
}

#[tokio::test(start_paused = true)]
async fn a_pinned_request_uses_its_account_alone() {
    let stage =
        Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("b", [Reply::ok()]).always("b", Reply::limited(9)));
    let pinned = || under(&RequestContext::new().with_pin("b"), post());
    assert_eq!(stage.send(pinned()).await.status, 200);
    assert_eq!(stage.send(pinned()).await.status, 429);
    assert_eq!(stage.tokens(), ["b", "b"]);

    pass(4).await;
    let answer = stage.send(pinned()).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("5")), "it cools, and nobody else is asked");
    assert_eq!(stage.tokens(), ["b", "b"]);
    assert_eq!(stage.post().await.status, 200, "a request without a pin is served");
}

#[tokio::test(start_paused = true)]
async fn a_pin_that_names_nobody_is_an_error_that_names_who_there_is() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new());
    let error = stage.refused(under(&RequestContext::new().with_pin("c"), post())).await;
    assert_eq!(error.kind(), ErrorKind::UnknownCredential);
    assert!(error.to_string().contains("\"c\"") && error.to_string().contains("[\"a\", \"b\"]"), "{error}");
    assert!(stage.tokens().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_new_begins_after_the_deadline_and_what_is_under_way_is_not_cut_short() {
    let stage =
        Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(429).after(seconds(3))));
    let answer = stage.send(under(&RequestContext::new().with_timeout(seconds(2)), post())).await;
    assert_eq!(answer.status, 429);
    assert_eq!(stage.tokens(), ["a"]);

    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::ok().after(seconds(3))));
    let answer = stage.send(under(&RequestContext::new().with_timeout(seconds(2)), post())).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_leaves_no_trace() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::pending()));
    let mut events = stage.pool.events();
    let waiting = stage.spawn();
    pass(1).await;
    assert_eq!(stage.of("a").in_flight, 1);
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    let a = stage.of("a");
    assert_eq!((a.in_flight, a.failures, a.successes), (0, 0, 0));
    assert!(stage.all_ready() && stage.order() == ["a", "b"]);
    assert_eq!(names(&mut events), ["canceled"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_outlives_the_caller_who_waited_for_it() {
    let tokens = ScriptedTokens::new().always("a", Grant::fresh().after(seconds(5)));
    let stage =
        Stage::new(pool(&["a"]).token_source(tokens.clone()), ScriptedProvider::new().always("a", Reply::status(401)));
    let waiting = stage.spawn();
    pass(1).await;
    assert!(stage.of("a").refreshing);
    waiting.abort();
    pass(5).await;
    assert_eq!((tokens.granted(), stage.of("a").refreshing), (1, false));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a+"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_in_use_until_the_answer_is_read_or_dropped() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().otherwise(Reply::ok().body("hello")));
    let answer = stage.client.clone().oneshot(post()).await.unwrap();
    assert_eq!(stage.of("a").in_flight, 1);
    drop(answer);
    assert_eq!(stage.of("a").in_flight, 0);

    let mut head = post();
    *head.method_mut() = Method::HEAD;
    let answer = stage.client.clone().oneshot(head).await.unwrap();
    assert_eq!(stage.of("a").in_flight, 0, "no body follows");
    drop(answer);
}
