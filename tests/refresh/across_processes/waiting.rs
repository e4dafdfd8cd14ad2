//! One process refreshes, the others wait for it, and adopt what it brings.

use std::time::Duration;

use oauth_marathon::config::Settings;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, Entry, MemoryStore, Record, Revision, Store, StoreKey};
use oauth_marathon::{BoxError, MarathonLayer, Pool};
use oauth_marathon_test::ScriptedProvider;
use tower::{Layer, ServiceExt};

use super::{EXCHANGE, HOUR, begun, endpoint, fresh, key, process, put, send, server, spent, theirs};
use crate::support::accounts::{ORIGIN, day, look, names, oauth, post, seconds, wall};

#[tokio::test(start_paused = true)]
async fn nobody_refreshes_while_others_do_and_requests_go_on_with_another_account() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let lease = store.lease(&key(), HOUR).await.unwrap().unwrap();
    let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
    let begin = tokio::time::Instant::now();
    send(&stack).await;
    assert_eq!(begin.elapsed(), seconds(5));
    assert_eq!(spent(&server), [""; 0]);
    let Standing::Cooling { cooldown, .. } = look(&pool, "a").standing else { panic!() };
    assert_eq!(cooldown, seconds(5), "no long cooldown: the others are about to end");
    assert_eq!(look(&pool, "b").successes, 1);
    let failed = events.try_recv().unwrap();
    assert!(failed.to_string().contains("another process refreshes it"), "{failed}");

    drop(lease);
    tokio::time::advance(seconds(5)).await;
    assert!(pool.remove("b"));
    send(&stack).await;
    assert_eq!(spent(&server), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_stays_in_use_while_others_refresh_it() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let (pool, stack, mut events) = process(&server, &store, HOUR);
    tokio::time::advance(seconds(3500)).await;
    let lease = store.lease(&key(), HOUR).await.unwrap();
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").standing), (vec![], Standing::Ready));
    assert_eq!((look(&pool, "a").successes, names(&mut events)), (1, vec![]), "and nothing is wrong");
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn of_eight_processes_that_wait_one_exchanges_and_all_others_adopt() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let processes: Vec<_> = (0..8).map(|_| process(&server, &store, Duration::ZERO)).collect();
    let calls: Vec<_> = processes.iter().map(|(_, stack, _)| tokio::spawn(stack.clone().oneshot(post()))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(spent(&server), ["a-r1"]);
    for (pool, _, mut events) in processes {
        assert_eq!((look(&pool, "a").generation.get(), look(&pool, "a").successes), (2, 1));
        assert_eq!(names(&mut events), ["refreshed"]);
    }
}

/// The lease is free because its file was removed, while another process is in the middle of its exchange.
#[tokio::test(start_paused = true)]
async fn an_exchange_that_others_may_have_under_way_is_not_repeated_although_the_lease_is_free() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    put(&store, begun(day(Duration::ZERO) - Duration::from_millis(50))).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    let begin = tokio::time::Instant::now();
    send(&stack).await;
    assert_eq!((begin.elapsed(), look(&pool, "b").successes), (seconds(5), 1), "requests go on with another account");
    assert!(pool.remove("b"));
    while begin.elapsed() < seconds(25) {
        // What this request gets does not matter.
        drop(stack.clone().oneshot(post()).await);
        assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec![], 1));
        tokio::time::advance(seconds(5)).await;
    }
    tokio::time::advance(EXCHANGE).await;
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn what_the_others_bring_meanwhile_is_adopted() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    put(&store, begun(day(Duration::ZERO))).await;
    let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
    let call = tokio::spawn(stack.clone().oneshot(post()));
    tokio::time::sleep(seconds(2)).await;
    put(&store, theirs(2)).await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!((spent(&server), look(&pool, "a").generation.get(), look(&pool, "a").successes), (vec![], 2, 1));
    assert_eq!(names(&mut events), ["refreshed"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_wait_for_one_that_died_one_sends_its_token_and_all_others_adopt() {
    let (server, store) = (server([fresh()]), UnsharedLeases(MemoryStore::new()));
    put(&store.0, begun(day(Duration::ZERO))).await;
    let mut settings = Settings::default();
    settings.exchange_timeout = seconds(2);
    let stacks: Vec<_> = (0..8)
        .map(|_| {
            let pool = Pool::builder("openai").origin(ORIGIN).token_source(endpoint(&server)).store(store.clone());
            let pool = pool.settings(settings.clone()).credential(oauth("a", Some(Duration::ZERO))).clock(wall());
            MarathonLayer::new(pool.build().unwrap()).layer(ScriptedProvider::new())
        })
        .collect();
    let begin = tokio::time::Instant::now();
    let calls: Vec<_> = stacks.into_iter().map(|stack| tokio::spawn(stack.oneshot(post()))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(spent(&server), ["a-r1"]);
    assert!(begin.elapsed() >= seconds(2) && begin.elapsed() < seconds(4), "{:?}", begin.elapsed());
}

/// A store whose leases exclude no other lease.
#[derive(Clone)]
struct UnsharedLeases(MemoryStore);

impl Store for UnsharedLeases {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        self.0.compare_and_set(key, expected, next).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_began_in_the_future_is_waited_for_once_and_not_until_then() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    // The clock was set back by two years since.
    put(&store, begun(day(seconds(2 * 365 * 86_400)))).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!(spent(&server), [""; 0]);
    assert!(pool.remove("b"));
    tokio::time::advance(EXCHANGE).await;
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
}
