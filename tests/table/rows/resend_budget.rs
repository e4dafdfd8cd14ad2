//! No request storms a provider: rounds are a second apart, and resends are paid from a budget that the whole pool shares.

use std::num::NonZeroU32;
use std::time::Duration;

use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::events::Event;
use oauth_marathon::verdict::Scope;
use oauth_marathon::{MarathonLayer, RequestContext};
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};
use tokio::time::Instant;
use tower::Layer;

use crate::support::stage::{Answer, Stage, login, names, pass, pool, post, seconds, settings, under};

/// The times between the sends.
fn pauses(seen: &[Recorded]) -> Vec<Duration> {
    seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

/// An account for each number.
fn accounts(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("a{at}")).collect()
}

fn many(count: usize) -> oauth_marathon::pool::PoolBuilder {
    pool(&accounts(count).iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn one_request_that_waits_begins_no_two_rounds_within_a_second() {
    for (name, value) in [("retry-after-ms", "1"), ("retry-after-ms", "999"), ("retry-after", "0")] {
        let settings = settings(|it| (it.when_all_cooling, it.max_wait) = (WhenAllCooling::Wait, seconds(5)));
        let limited = Reply::status(429).header(name, value);
        let stage = Stage::new(pool(&["a"]).settings(settings), ScriptedProvider::new().always("a", limited));
        assert_eq!(stage.post().await.status, 429);
        let pauses = pauses(&stage.provider.requests());
        assert!(pauses.len() <= 5, "{name}: {value}: {} sends", pauses.len() + 1);
        assert!(pauses.iter().all(|pause| *pause >= seconds(1)), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_follows_a_wait_begins_a_second_after_the_last_one_began() {
    let settings = settings(|it| (it.when_all_cooling, it.max_wait) = (WhenAllCooling::Wait, seconds(20)));
    let stage = Stage::new(
        pool(&["a", "b"]).settings(settings),
        ScriptedProvider::new().on("a", [Reply::limited(1)]).always("b", Reply::limited(30)),
    );
    // An earlier request has met the limit of the first, which ends a tenth of a second after this one meets the
    // other's.
    stage.send(under(&RequestContext::new().with_timeout(Duration::from_millis(500)).with_pin("a"), post())).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(stage.post().await.status, 200);
    let seen = stage.provider.requests();
    assert_eq!(stage.tokens(), ["a", "b", "a"]);
    assert_eq!(seen[2].at - seen[1].at, seconds(1));
}

#[tokio::test(start_paused = true)]
async fn a_stated_time_below_a_second_counts_as_a_second() {
    let limited = Reply::status(429).header("retry-after-ms", "1");
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [limited]));
    stage.post().await;
    assert_eq!(stage.cooldown("a").expect("it is cooling").1, seconds(1));

    let overloaded = Reply::status(503).header("retry-after-ms", "1");
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [overloaded]));
    stage.post().await;
    assert_eq!(pauses(&stage.provider.requests()), [seconds(1)]);
}

/// A call of an official SDK: up to two retries of its own, unless an answer says that they are of no use.
async fn sdk_call(stage: &Stage) -> Answer {
    for tries in 0.. {
        let answer = stage.post().await;
        let says = answer.headers.get("x-should-retry").map(|value| value.as_bytes());
        let retries = match says {
            Some(b"true") => true,
            Some(b"false") => false,
            _ => matches!(answer.status, 408 | 409 | 429 | 500..),
        };
        if !retries || tries == 2 {
            return answer;
        }
        pass(1).await;
    }
    unreachable!("it returns after the third try")
}

#[tokio::test(start_paused = true)]
async fn one_call_of_an_sdk_sends_at_most_four_times_while_every_account_fails() {
    for code in [500, 502, 503, 504, 529, 408] {
        for count in [1, 2, 5] {
            let stage = Stage::new(many(count), ScriptedProvider::new().otherwise(Reply::status(code)));
            let answer = sdk_call(&stage).await;
            assert_eq!(answer.status, code);
            assert!(stage.tokens().len() <= 4, "{code}: {:?}", stage.tokens());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn thirty_calls_of_an_sdk_within_a_minute_make_at_most_forty_resends_while_every_account_fails() {
    for count in [1, 2, 5] {
        let stage = Stage::new(many(count), ScriptedProvider::new().otherwise(Reply::status(500)));
        let start = Instant::now();
        for _ in 0..30 {
            sdk_call(&stage).await;
            pass(1).await;
        }
        assert!(start.elapsed() < seconds(60), "{:?}", start.elapsed());
        let resends = stage.tokens().len() - 30;
        assert!((20..=40).contains(&resends), "{count} accounts: {resends} resends");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_error_that_was_not_sent_again_leaves_the_retry_to_the_caller() {
    let long = Reply::status(503).header("retry-after", "60");
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().always("a", long));
    assert!(!stage.post().await.headers.contains_key("x-should-retry"));

    // The provider's own word stands where nothing is returned that was sent again.
    let rejected = Reply::status(400).header("x-should-retry", "true");
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().on("a", [Reply::status(500), rejected]));
    assert_eq!(stage.post().await.headers["x-should-retry"], "true");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_of_the_pool_whatever_the_number_of_its_stacks() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().otherwise(Reply::status(500)));
    let stacks: Vec<_> = (0..5)
        .map(|_| Stage {
            client: MarathonLayer::new(stage.pool.clone()).layer(stage.provider.clone()),
            ..stage.clone()
        })
        .collect();
    for stack in stacks.iter().cycle().take(50) {
        stack.post().await;
    }
    assert!((20..=30).contains(&(stage.tokens().len() - 50)), "{}", stage.tokens().len());
}

#[tokio::test(start_paused = true)]
async fn the_budget_comes_back_with_time_and_with_successes() {
    let provider = ScriptedProvider::new().otherwise(Reply::status(500));
    let stage = Stage::new(pool(&["a"]), provider.clone());
    let resends = async |posts: usize| {
        let before = stage.tokens().len();
        for _ in 0..posts {
            stage.post().await;
        }
        stage.tokens().len() - before - posts
    };
    let spent = resends(40).await;
    assert!((20..=24).contains(&spent), "{spent}");
    pass(30).await;
    let earned = resends(40).await;
    assert!((9..=14).contains(&earned), "twenty a minute: {earned}");
    provider.set("a", Reply::ok());
    assert_eq!(resends(50).await, 0);
    provider.set("a", Reply::status(500));
    let earned = resends(40).await;
    assert!((10..=13).contains(&earned), "one for five successes: {earned}");
    pass(3_600).await;
    let saved = resends(40).await;
    assert!((20..=24).contains(&saved), "at most twenty: {saved}");
}

#[tokio::test(start_paused = true)]
async fn going_on_after_what_concerns_one_account_and_one_step_to_one_that_serves_cost_nothing() {
    let refused = [401, 402, 403, 429];
    let provider = ScriptedProvider::new().otherwise(Reply::status(500));
    let stage = Stage::new(pool(&["a", "b"]), provider.clone());
    for _ in 0..30 {
        stage.post().await;
    }
    for (at, code) in refused.into_iter().enumerate() {
        let stage = Stage { provider: provider.clone(), ..stage.clone() };
        provider.set("a", Reply::status(code));
        provider.set("b", Reply::ok());
        for id in ["a", "b"] {
            stage.pool.clear(id, Scope::Credential);
        }
        let before = stage.tokens().len();
        assert_eq!(stage.post().await.status, 200, "{code}, {at}");
        assert!(stage.tokens().len() - before <= 2, "{code}");
    }
    // The last that was heard of `b` is a success: one step there is free, but no second try with `a`.
    provider.set("a", Reply::status(500));
    assert!(stage.pool.clear("a", Scope::Credential));
    for _ in 0..5 {
        stage.send(under(&RequestContext::new().with_pin("a"), post())).await;
    }
    stage.pool.replace(vec![login("a"), login("b")]).expect("the same two, in this order");
    let before = stage.tokens().len();
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens()[before..], ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_fails_three_times_in_a_row_lets_one_that_serves_go_first() {
    for code in [500, 529] {
        let stage = Stage::new(pool(&["a", "b", "c"]), ScriptedProvider::new().always("a", Reply::status(code)));
        for _ in 0..2 {
            assert_eq!(stage.post().await.status, 200);
        }
        assert_eq!(stage.order(), ["b", "c", "a"], "{code}");
        assert!(stage.all_ready(), "it is not its fault");
        let before = stage.tokens().len();
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens()[before..], ["b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_in_between_or_nobody_who_serves_keeps_the_order() {
    let replies = [500, 500, 200, 500, 500, 200].map(Reply::status);
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", replies).always("b", Reply::ok()));
    for _ in 0..6 {
        stage.post().await;
    }
    assert_eq!(stage.order()[0], "a");

    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().otherwise(Reply::status(500)));
    for _ in 0..5 {
        stage.post().await;
    }
    assert_eq!(stage.order()[0], "a", "b serves no better");
}

#[tokio::test(start_paused = true)]
async fn a_request_tries_sixteen_accounts_at_most_unless_told_otherwise() {
    let limited = Reply::status(429).header("retry-after", "3600").header("retry-after-ms", "3600000");
    let stage = Stage::new(many(40), ScriptedProvider::new().otherwise(limited.clone()));
    let mut events = stage.pool.events();
    let answer = stage.post().await;
    assert_eq!((answer.status, stage.tokens().len()), (429, 16));
    let last = std::iter::from_fn(|| events.try_recv()).last().expect("an event");
    let Event::AttemptsUsedUp { tried, status, .. } = last else { panic!("{last}") };
    assert_eq!((tried, status.map(|status| status.as_u16())), (16, Some(429)));
    assert_eq!(answer.retry_after(), Some("1"), "others are ready");
    assert!(!answer.headers.contains_key("retry-after-ms"), "that one would count first");

    // If no other account is ready, the provider's own time stands.
    let stage = Stage::new(many(16), ScriptedProvider::new().otherwise(limited.clone()));
    let mut events = stage.pool.events();
    assert_eq!(stage.post().await.retry_after(), Some("3600"));
    assert!(!names(&mut events).contains(&"attempts_used_up"));

    let most = settings(|it| it.max_attempts = NonZeroU32::new(20));
    let stage = Stage::new(many(40).settings(most), ScriptedProvider::new().otherwise(limited));
    assert_eq!((stage.post().await.retry_after(), stage.tokens().len()), (Some("1"), 20));
}

#[tokio::test(start_paused = true)]
async fn no_resend_is_waited_for_past_the_deadline() {
    let refused = Reply::error(std::io::ErrorKind::ConnectionRefused);
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().otherwise(refused));
    let start = Instant::now();
    let context = RequestContext::new().with_timeout(Duration::from_millis(500));
    assert!(stage.try_send(under(&context, post())).await.is_err());
    assert!(start.elapsed() < Duration::from_millis(500));
}
