//! One request that is always refused must not cost the accounts, their refresh tokens or the other requests anything.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::events::Event;
use oauth_marathon::pool::PoolBuilder;
use oauth_marathon_test::{Exchange, Reply, ScriptedProvider, ScriptedTokens};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::stage::{Stage, key, pool, seconds};

const REQUESTS: u32 = 10_000;

/// The pause between two requests, so that all of them fill half an hour.
const PAUSE: Duration = Duration::from_millis(180);

/// How long an answer takes: longer than the pause, so that good and bad requests overlap.
const LATENCY: Duration = Duration::from_millis(700);

fn request(poison: bool) -> Request<Full<Bytes>> {
    let path = if poison { "poison" } else { "good" };
    Request::post(format!("https://api.example.com/{path}")).body(Full::default()).expect("well-formed")
}

/// Sends 9,000 good requests with 1,000 bad ones among them, and says how often a bad one was sent on average, at most.
async fn run(pool: PoolBuilder, most_sends: usize) {
    let provider = ScriptedProvider::new()
        .answering(|request| (request.head.uri().path() == "/poison").then(|| Reply::status(403).after(LATENCY)))
        .otherwise(Reply::ok().after(LATENCY));
    let stage = Stage::new(pool, provider);
    let mut events = stage.pool.events();
    let mut told = Vec::new();
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let (caller, poison) = (stage.clone(), number % 10 == 7);
        requests.spawn(async move { (poison, caller.send(request(poison)).await) });
        tokio::time::sleep(PAUSE).await;
        assert!(stage.all_ready(), "after {number}");
        told.extend(std::iter::from_fn(|| events.try_recv()));
    }
    while let Some(answered) = requests.join_next().await {
        let (poison, answer) = answered.expect("no panic");
        assert_eq!(answer.status, if poison { 403 } else { 200 });
        assert!(!poison || answer.attempts.len() <= most_sends, "{:?}", answer.attempts);
    }
    assert!(stage.all_ready());
    let seen = stage.provider.requests();
    assert_eq!(seen.iter().filter(|seen| seen.head.uri().path() == "/good").count(), 9_000, "each was sent once");
    assert!(seen.iter().filter(|seen| seen.head.uri().path() == "/poison").count() <= 1_000 * most_sends);
    let harm = |event: &&Event| !matches!(event, Event::FailedOver { .. } | Event::Refreshed { .. });
    assert_eq!(told.iter().find(harm), None);
}

/// When the tokens of a credential were exchanged.
fn times(tokens: &ScriptedTokens, credential: &str) -> Vec<Instant> {
    let mine = |exchange: Exchange| (exchange.credential == credential).then_some(exchange.at);
    tokens.exchanges().into_iter().filter_map(mine).collect()
}

/// Asserts that no two forced refreshes of one account are less than a minute apart.
fn at_most_one_a_minute(tokens: &ScriptedTokens, credentials: &[&str]) {
    for credential in credentials {
        let times = times(tokens, credential);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= seconds(60)), "{credential}: {times:?}");
    }
    // Half an hour, and the token source was asked at all.
    assert!((1..=31).contains(&tokens.asked().len()), "{}", tokens.asked().len());
}

#[tokio::test(start_paused = true)]
async fn it_costs_a_pool_of_three_logins_one_refresh_a_minute_and_nothing_else() {
    let tokens = ScriptedTokens::new();
    run(pool(&["a", "b", "c"]).token_source(tokens.clone()), 3).await;
    at_most_one_a_minute(&tokens, &["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn it_costs_a_single_login_one_refresh_a_minute_and_nothing_else() {
    let tokens = ScriptedTokens::new();
    run(pool(&["a"]).token_source(tokens.clone()), 2).await;
    at_most_one_a_minute(&tokens, &["a"]);
}

#[tokio::test(start_paused = true)]
async fn it_costs_keys_nothing() {
    run(pool(&[]).credentials([key("k"), key("l"), key("m")]), 2).await;
    run(pool(&[]).credential(key("k")), 1).await;
}
