//! A token endpoint that refuses for now, again and again: how often it is asked, and after which pauses.

use std::time::Duration;

use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::RefreshError;
use oauth_marathon::{Generation, MarathonLayer, Pool, RequestContext, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tower::Layer;

use crate::support::accounts::{ORIGIN, day, look, names, oauth, rotating, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

use super::limits::{expired, send, settings, stack};

/// How often a refresh token is sent in a day with a request every minute, and how many events there are.
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

/// How long `a` still cools.
fn cooldown(pool: &Pool) -> Option<Duration> {
    match look(pool, "a").standing {
        Standing::Cooling { cooldown, .. } => Some(cooldown),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_cooldown_grows_from_its_beginning_again_after_a_success_and_after_new_tokens() {
    let (server, store) = (rotating(wall(), seconds(1)), MemoryStore::new());
    server.set("a", Grant::busy());
    let pool = expired(&[], &server).store(store.clone()).open().await.unwrap();
    pool.add(oauth("a", Some(Duration::ZERO))).unwrap();
    let (stack, _) = stack(&pool);
    let fail = async || {
        let outcome = send(&stack, &RequestContext::new()).await;
        assert!(outcome.is_err(), "{outcome:?} {:?}", look(&pool, "a"));
        let cooldown = cooldown(&pool).unwrap();
        tokio::time::sleep(cooldown).await;
        cooldown.as_secs()
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
async fn a_stated_time_does_not_grow_and_neither_does_the_cooldown_after_no_answer() {
    let stated = Grant::error(RefreshError::transient("scripted: busy").with_retry_after(seconds(45)));
    for (grant, seconds) in [(stated, 45), (Grant::pending(), 30), (Grant::panic(), 30)] {
        let server = ScriptedTokens::new().always("a", grant);
        let pool = expired(&["a"], &server).build().unwrap();
        let (stack, _) = stack(&pool);
        for _ in 0..4 {
            assert!(send(&stack, &RequestContext::new()).await.is_err());
            assert_eq!(cooldown(&pool), Some(Duration::from_secs(seconds)));
            tokio::time::sleep(cooldown(&pool).unwrap()).await;
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

/// A token source that hands out the tokens that it was to replace.
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
