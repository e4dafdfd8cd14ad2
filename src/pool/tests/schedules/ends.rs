//! Schedules in which a credential, a pool or its last handle goes away while a refresh is under way.

use std::time::Duration;

use super::explore;
use super::server::Server;
use super::world::World;
use crate::sync::{spawn, time};

const NONE: Duration = Duration::ZERO;

#[test]
fn a_removal_wins_over_a_refresh() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let request = world.request(&pool);
        let removing = pool.clone();
        let removed = spawn(async move { removing.remove("a") });
        assert!(removed.await.unwrap());
        // It is answered, whichever came first.
        let _ = request.await.unwrap();
        world.settled(&pool).await;
        assert!(pool.snapshot().credentials.is_empty() && world.stored().await.is_empty());
    });
}

#[test]
fn a_credential_that_comes_back_by_a_login_keeps_the_tokens_of_that_login() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let request = world.request(&pool);
        let (changing, login) = (pool.clone(), world.server.login("a", NONE));
        let changed = spawn(async move {
            assert!(changing.remove("a"));
            changing.add(login).unwrap();
        });
        changed.await.unwrap();
        let _ = request.await.unwrap();
        world.serves(vec![world.request(&pool)]).await;
        world.settled(&pool).await;
        assert_eq!(pool.snapshot().credentials.len(), 1);
    });
}

#[test]
fn a_shutdown_loses_no_token_of_a_refresh_under_way() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let request = world.request(&pool);
        let closing = pool.clone();
        let closed = spawn(async move { closing.shutdown().await });
        closed.await.unwrap();
        let stored = world.stored().await;
        assert!(stored.iter().all(|record| record.intent.is_none()), "the shutdown did not wait");
        let _ = request.await.unwrap();
        drop(pool);
        let next = world.open([]).await;
        world.serves(vec![world.request(&next)]).await;
        world.settled(&next).await;
    });
}

#[test]
fn a_pool_that_is_dropped_ends_its_refresh_first() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let request = world.request(&pool);
        drop(pool);
        shuttle::future::yield_now().await;
        // The caller goes away, at any of its steps.
        request.abort();
        let _ = request.await;
        let next = world.open([]).await;
        world.serves(vec![world.request(&next)]).await;
        time::sleep(Duration::from_secs(60)).await;
        world.settled(&next).await;
    });
}
