//! Schedules of refreshes: one exchange for one expiry, and no refresh token sent twice, whatever other tasks do
//! meanwhile.

use std::time::Duration;

use super::explore;
use super::server::{LIFE, Server};
use super::world::World;
use crate::sync::{spawn, time};

const NONE: Duration = Duration::ZERO;

/// The writer stores what was added, while the refresh stores what comes after it.
#[test]
fn a_credential_that_is_added_and_refreshed_at_once_is_never_written_back() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([]).await;
        pool.add(world.server.login("a", NONE)).unwrap();
        world.serves(vec![world.request(&pool)]).await;
        world.settled(&pool).await;
        time::sleep(2 * LIFE).await;
        world.serves(vec![world.request(&pool)]).await;
        assert_eq!(world.server.exchanges(), 2, "exchanges for two expiries");
        world.settled(&pool).await;
    });
}

/// New tokens are put in while a refresh of the old ones is on its way.
#[test]
fn tokens_that_are_put_in_beside_a_refresh_are_never_written_back() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let request = world.request(&pool);
        let login = world.server.login("a", NONE);
        let putting = pool.clone();
        let put = spawn(async move { putting.update("a", login.material).unwrap() });
        let second = world.request(&pool);
        put.await.unwrap();
        world.serves(vec![request, second]).await;
        world.settled(&pool).await;
        time::sleep(2 * LIFE).await;
        world.serves(vec![world.request(&pool)]).await;
        world.settled(&pool).await;
    });
}

#[test]
fn requests_that_meet_an_expired_token_at_once_share_one_exchange() {
    explore(|| async {
        let world = World::new(Server::strict());
        let pool = world.open([world.server.login("a", NONE)]).await;
        let requests = (0..3).map(|_| world.request(&pool)).collect();
        world.serves(requests).await;
        assert_eq!(world.server.exchanges(), 1, "exchanges for one expiry");
        world.settled(&pool).await;
    });
}

#[test]
fn requests_that_are_refused_at_once_share_one_exchange() {
    explore(|| async {
        let world = World::new(Server::strict());
        let pool = world.open([world.server.login("a", LIFE)]).await;
        world.server.end_access_tokens();
        let requests = (0..3).map(|_| world.request(&pool)).collect();
        world.serves(requests).await;
        assert_eq!(world.server.exchanges(), 1, "exchanges for one expiry");
        world.settled(&pool).await;
    });
}

#[test]
fn two_pools_over_one_store_share_one_exchange() {
    explore(|| async {
        let world = World::new(Server::strict());
        let one = world.open([world.server.login("a", NONE)]).await;
        let other = world.open([]).await;
        world.serves(vec![world.request(&one), world.request(&other), world.request(&one)]).await;
        assert_eq!(world.server.exchanges(), 1, "exchanges for one expiry");
        world.settled(&one).await;
        world.settled(&other).await;
    });
}

/// What one pool adds, updates and removes, the other hears of, while both refresh.
#[test]
fn two_pools_that_change_one_store_come_to_agree() {
    explore(|| async {
        let world = World::new(Server::new());
        let one = world.open([world.server.login("a", NONE)]).await;
        let other = world.open([]).await;
        let (adding, putting) = (one.clone(), other.clone());
        let (added, put) = (world.server.login("b", NONE), world.server.login("a", NONE));
        let changes = [
            spawn(async move { adding.add(added).unwrap() }),
            spawn(async move { putting.update("a", put.material).unwrap() }),
        ];
        let requests = vec![world.request(&one), world.request(&other)];
        for change in changes {
            change.await.unwrap();
        }
        world.serves(requests).await;
        one.flush().await.unwrap();
        other.flush().await.unwrap();
        time::sleep(Duration::from_secs(1)).await;
        world.settled(&one).await;
        world.settled(&other).await;
        time::sleep(2 * LIFE).await;
        world.serves(vec![world.request(&one), world.request(&other)]).await;
        world.settled(&one).await;
        world.settled(&other).await;
    });
}
