//! Wall clocks that are wrong, or jump.

use std::time::Duration;

use oauth_marathon::Generation;
use oauth_marathon::clock::WallClock;
use oauth_marathon::store::{Cooldown, HealthChange, Store};
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::ManualClock;

use crate::mirror::stores::{HOUR, builder, cooldown, held, key, put, remove, send, static_key, store_of, two_seconds};
use crate::support::accounts::{day, look, oauth, rotating, seconds, settle, wall};

const YEARS: i64 = 2 * 365 * 86_400;

/// A wall clock that is wrong by so many seconds.
fn wrong(by: i64) -> ManualClock {
    let clock = wall();
    jump(&clock, by);
    clock
}

fn jump(clock: &ManualClock, by: i64) {
    let away = Duration::from_secs(by.unsigned_abs());
    clock.set(if by < 0 { clock.now() - away } else { clock.now() + away });
}

#[tokio::test(start_paused = true)]
async fn no_jump_of_the_clock_leaves_a_credential_stuck() {
    for (at_noting, at_opening) in
        [(YEARS, 0), (0, -YEARS), (-YEARS, 0), (0, YEARS), (YEARS, -YEARS), (3600, 0), (0, -3600)]
    {
        let store = store_of(&["a", "b"]).await;
        let server = rotating(wall(), HOUR);
        put(&store, oauth("t", Some(seconds(1800)))).await;
        let pool = builder(store.clone()).clock(wrong(at_noting)).open().await.unwrap();
        assert_eq!(send(&pool, &[("a", 429), ("b", 402)]).await, 200);
        pool.flush().await.unwrap();
        pool.shutdown().await;

        let pool = builder(store.clone()).clock(wrong(at_opening)).token_source(server.clone());
        let pool = pool.open().await.unwrap();
        let longest = cooldown(&pool, "a").max(cooldown(&pool, "b")).unwrap_or_default();
        assert!(longest <= 2 * 3600, "{at_noting} {at_opening}: {longest} s");
        // The token that seems to be expired is refreshed once, and no more.
        assert_eq!(send(&pool, &[]).await, 200);
        tokio::time::advance(seconds(2 * 3600)).await;
        settle().await;
        for id in ["a", "b"] {
            assert_eq!(cooldown(&pool, id), None, "{at_noting} {at_opening}: {id}");
        }
        assert!(server.exchanges().len() <= 1, "{at_noting} {at_opening}: {}", server.exchanges().len());
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_no_cooldown_can_have_is_corrected_for_whoever_opens_next() {
    let (store, clock) = (store_of(&["a", "b"]).await, wall());
    let years = Duration::from_secs(YEARS.unsigned_abs());
    for (id, model) in [("a", None), ("b", Some("large"))] {
        let far = Cooldown::new(Kind::Throttled, clock.now() + years);
        let far = model.into_iter().fold(far, |far, model| far.with_model(model));
        store.note_health(&key(id), Generation::new(1), HealthChange::new().cooled(far));
    }
    let open = async || builder(store.clone()).clock(clock.clone()).open().await.unwrap();
    let pool = open().await;
    assert_eq!((cooldown(&pool, "a"), look(&pool, "b").models[0].cooldown.as_secs()), (Some(30), 30));
    two_seconds().await;
    for id in ["a", "b"] {
        let stored = held(&store, id).await.unwrap().health.cooldowns;
        assert!(stored.len() == 1 && stored[0].until == day(seconds(30)) && stored[0].guessed, "{id}: {stored:?}");
    }
    tokio::time::advance(seconds(30)).await;
    let late = open().await;
    assert_eq!((cooldown(&late, "a"), look(&late, "b").models.len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_jump_while_the_pool_runs_moves_none_of_its_cooldowns() {
    let store = store_of(&["a", "b"]).await;
    let clock = wall();
    let pool = builder(store.clone()).clock(clock.clone()).open().await.unwrap();
    assert_eq!(send(&pool, &[("a", 429)]).await, 200);
    two_seconds().await;
    let mut wrong = 0;
    for by in [YEARS, -YEARS, 0, 86_400, -86_400] {
        jump(&clock, by - wrong);
        wrong = by;
        put(&store, static_key("c")).await;
        two_seconds().await;
        remove(&store, "c").await;
        two_seconds().await;
        let left = cooldown(&pool, "a").unwrap_or_default();
        assert!(left <= 28, "{by}: {left}");
    }
}
