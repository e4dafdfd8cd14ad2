//! Schedules in which cooldowns begin and end while requests pick a credential.

use std::time::Duration;

use super::explore;
use super::server::{LIFE, Server};
use super::world::World;
use crate::pool::Standing;
use crate::sync::{spawn, time};
use crate::verdict::Scope;

/// Longer than any time that the provider states.
const A_WHILE: Duration = Duration::from_secs(30);

#[test]
fn requests_go_on_with_the_other_credential_while_one_begins_to_cool_down() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", LIFE), world.server.login("b", LIFE)]).await;
        world.server.limit("a", 2);
        world.serves((0..3).map(|_| world.request(&pool)).collect()).await;
        world.settled(&pool).await;
        world.server.limit("a", 0);
        time::sleep(A_WHILE).await;
        world.serves(vec![world.request(&pool)]).await;
        for credential in pool.snapshot().credentials {
            assert_eq!(credential.standing, Standing::Ready, "{credential:?}");
        }
    });
}

/// A person ends the cooldown that a request begins, and the two tell the store.
#[test]
fn the_store_hears_of_a_cooldown_and_of_its_end_in_their_order() {
    explore(|| async {
        let world = World::new(Server::new());
        let pool = world.open([world.server.login("a", LIFE), world.server.login("b", LIFE)]).await;
        world.server.limit("a", 1);
        let requests = (0..2).map(|_| world.request(&pool)).collect();
        let clearing = pool.clone();
        let cleared = spawn(async move {
            assert!(clearing.clear("a", Scope::Credential));
            clearing.flush().await.unwrap();
        });
        cleared.await.unwrap();
        world.serves(requests).await;
        world.settled(&pool).await;
        let stored = world.stored().await;
        for credential in pool.snapshot().credentials {
            let record = stored.iter().find(|record| record.credential.id == credential.id).unwrap();
            let cooldowns = credential.standing != Standing::Ready || !credential.models.is_empty();
            assert_eq!(cooldowns, !record.health.cooldowns.is_empty(), "{credential:?} {:?}", record.health);
        }
    });
}
