//! Cooldowns and bans, shared through the store.

use oauth_marathon::pool::Standing;
use oauth_marathon::store::{Cooldown, HealthChange, Store};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{Generation, MarathonLayer, RequestContext};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, ServiceExt};

use crate::mirror::stores::{builder, cooldown, held, key, out, scripted_of, send, static_key, store_of, two_seconds};
use crate::support::accounts::{day, look, names, post, seconds};

#[tokio::test(start_paused = true)]
async fn cooldowns_are_shared_and_so_are_their_ends() {
    let store = store_of(&["a", "b"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    assert_eq!(send(&one, &[("a", 429)]).await, 200);
    two_seconds().await;
    assert_eq!((cooldown(&one, "a"), cooldown(&other, "a")), (Some(28), Some(28)));
    assert_eq!(send(&other, &[]).await, 200);
    assert_eq!(look(&other, "b").successes, 1);

    // The later end wins, wherever it comes from.
    let noted = HealthChange::new().cooled(Cooldown::new(Kind::Throttled, day(seconds(100))));
    store.note_health(&key("a"), Generation::new(1), noted);
    two_seconds().await;
    assert_eq!((cooldown(&one, "a"), cooldown(&other, "a")), (Some(96), Some(96)));
    let shorter = HealthChange::new().cooled(Cooldown::new(Kind::Network, day(seconds(10))));
    store.note_health(&key("a"), Generation::new(1), shorter);
    two_seconds().await;
    assert_eq!(cooldown(&one, "a"), Some(94));

    // A person clears it.
    assert!(other.clear("a", Scope::Credential));
    two_seconds().await;
    assert_eq!(look(&one, "a").standing, Standing::Ready);
    let health = held(&store, "a").await.unwrap().health;
    assert_eq!((health.cooldowns, health.out), (Vec::new(), None));
}

#[tokio::test(start_paused = true)]
async fn the_cooldown_of_one_model_is_shared_and_so_is_its_end() {
    let store = store_of(&["a", "b"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    let of_the_model = |reply: &Answer<'_>| {
        let limited = Verdict::new(Kind::Throttled).with_scope(Scope::Model).with_retry_after(seconds(60));
        (reply.status() == 429).then_some(limited)
    };
    let provider = ScriptedProvider::new().always("a", Reply::status(429));
    let stack = MarathonLayer::new(one.clone()).classifier(classify_fn(of_the_model)).layer(provider);
    let answered = RequestContext::new().with_model("large").scope(stack.oneshot(post())).await.unwrap();
    assert_eq!(answered.status(), 200);

    two_seconds().await;
    for pool in [&one, &other] {
        let a = look(pool, "a");
        let models: Vec<_> = a.models.iter().map(|part| (&*part.model, part.cooldown.as_secs())).collect();
        assert_eq!((a.standing, models), (Standing::Ready, vec![("large", 58)]));
    }
    // After a restart too.
    let late = builder(store.clone()).open().await.unwrap();
    assert_eq!(look(&late, "a").models.len(), 1);
    assert!(other.clear_model("a", "large"));
    two_seconds().await;
    for pool in [&one, &other, &late] {
        assert!(look(pool, "a").models.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_known_to_all_and_so_is_its_end() {
    let store = store_of(&["a", "b"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    let mut events = other.events();
    store.note_health(&key("a"), Generation::new(1), HealthChange::new().out(Some(OutReason::Banned)));
    two_seconds().await;
    assert_eq!((out(&one, "a"), out(&other, "a")), (Some(OutReason::Banned), Some(OutReason::Banned)));
    assert_eq!(names(&mut events), ["out"]);
    assert!(one.clear("a", Scope::Credential));
    two_seconds().await;
    assert_eq!((look(&one, "a").standing, look(&other, "a").standing), (Standing::Ready, Standing::Ready));
}

#[tokio::test(start_paused = true)]
async fn only_failures_and_recoveries_are_noted_and_a_panic_costs_the_note() {
    let store = scripted_of(&["a", "b"]).await.panicking_over_notes();
    let pool = builder(store.clone()).open().await.unwrap();
    for _ in 0..100 {
        assert_eq!(send(&pool, &[]).await, 200);
    }
    two_seconds().await;
    assert_eq!(store.notes(), 0);
    assert_eq!(send(&pool, &[("a", 429)]).await, 200);
    two_seconds().await;
    assert_eq!(store.notes(), 1);
    assert_eq!(cooldown(&pool, "a"), Some(28));
    pool.add(static_key("c")).unwrap();
    two_seconds().await;
    assert!(held(&store, "c").await.is_some(), "what is left of it goes on");
}
