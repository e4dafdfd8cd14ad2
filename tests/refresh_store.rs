//! Refreshes and the store: what another process has done already is adopted, and a broken store loses no login.

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/probe.rs"]
mod probe;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use accounts::{ORIGIN, Server, answer, day, look, names, oauth, post, seconds, token, wall};
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, Cooldown, Entry, MemoryStore, Record, Revision, Store, StoreKey};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{
    BoxError, Credential, Error, ErrorKind, Generation, Marathon, MarathonLayer, Material, Pool, TokenSet,
};
use probe::Probe;
use tower::{Layer, ServiceExt};

const HOUR: Duration = seconds(3600);

/// A store in memory that fails, or finds something else, when it is told to.
#[derive(Clone, Default)]
struct Flaky {
    inner: MemoryStore,
    unreadable: Arc<Mutex<bool>>,
    unwritable: Arc<Mutex<bool>>,
    /// What another process writes, or that it removes, between our reading and our writing.
    meanwhile: Arc<Mutex<Option<Option<Record>>>>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Store for Flaky {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.log.lock().unwrap().push("load");
        if *self.unreadable.lock().unwrap() {
            return Err("the disk is gone".into());
        }
        self.inner.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        self.log.lock().unwrap().push("save");
        if *self.unwritable.lock().unwrap() {
            return Err("the disk is full".into());
        }
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            let _ = self.inner.compare_and_set(key, expected, meanwhile).await?;
        }
        self.inner.compare_and_set(key, expected, next).await
    }
}

async fn put(store: &MemoryStore, record: Record) {
    assert!(matches!(store.compare_and_set(&key(), None, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
}

/// The generation and the tokens that the store holds.
async fn held(store: &MemoryStore) -> (u64, TokenSet) {
    let record = store.load(&key()).await.unwrap().unwrap().record;
    let Material::OAuth(tokens) = record.credential.material().clone() else { panic!("{record:?}") };
    (record.generation.get(), tokens)
}

fn key() -> StoreKey {
    StoreKey::new("openai", "a")
}

fn stored(access: &str, generation: u64) -> Record {
    let tokens = TokenSet::new(access).with_refresh(format!("{access}-refresh")).expires_at(day(HOUR));
    Record::new(Credential::new("a", tokens), Generation::new(generation))
}

/// A pool of one account whose token has expired; the stack refuses that token.
fn expired(server: &Server, store: impl Store) -> (Pool, Marathon<Probe>) {
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server.clone()).store(store).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let probe = Probe::new(|request| async move {
        assert_ne!(token(&request), "a-1");
        Ok(answer(200))
    });
    let stack = MarathonLayer::new(pool.clone()).layer(probe);
    (pool, stack)
}

#[tokio::test(start_paused = true)]
async fn a_new_token_is_stored_before_it_is_used() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(server).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let log = store.log.clone();
    let probe = Probe::new(move |_| {
        log.lock().unwrap().push("send");
        async { Ok(answer(200)) }
    });
    MarathonLayer::new(pool).layer(probe).oneshot(post()).await.unwrap();
    assert_eq!(*store.log.lock().unwrap(), ["load", "save", "send"]);
    let (generation, kept) = held(&store.inner).await;
    assert_eq!((generation, kept.access().expose()), (2, "a-2"));
    assert_eq!(kept.refresh().unwrap().expose(), "a-r2");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_spends_no_refresh_token() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    *store.unreadable.lock().unwrap() = true;
    let (pool, stack) = expired(&server, store.clone());
    let error = stack.clone().oneshot(post()).await.unwrap_err();
    let error = Error::find(&*error).unwrap();
    assert_eq!(error.kind(), ErrorKind::Refresh);
    assert!(error.to_string().contains("the token store could not be read"), "{error}");
    assert_eq!(server.exchanges(), 0);
    assert!(matches!(look(&pool, "a").standing, Standing::Cooling { rests_for, .. } if rests_for == seconds(30)));

    *store.unreadable.lock().unwrap() = false;
    tokio::time::advance(seconds(30)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_written_loses_no_token() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    *store.unwritable.lock().unwrap() = true;
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(look(&pool, "a").generation.get(), 2);

    // The next one starts from what is kept in memory, and is stored.
    *store.unwritable.lock().unwrap() = false;
    tokio::time::advance(HOUR).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1", "a-r2"]);
    assert_eq!(held(&store.inner).await.0, 3);
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_in_the_store_is_adopted_without_an_exchange() {
    let (server, store) = (Server::rotating(wall(), HOUR), MemoryStore::new());
    put(&store, stored("theirs", 7)).await;
    let (pool, stack) = expired(&server, store.clone());
    let mut events = pool.events();
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.exchanges()), (7, 0));
    assert_eq!(names(&mut events), ["refreshed"]);

    // The one after it goes on from there.
    tokio::time::advance(HOUR).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["theirs-refresh"]);
    assert_eq!(held(&store).await.0, 8);
}

#[tokio::test(start_paused = true)]
async fn an_older_token_in_the_store_is_replaced() {
    let (server, store) = (Server::rotating(wall(), HOUR), MemoryStore::new());
    put(&store, stored("older", 1)).await;
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.spent()), (2, vec!["a-r1".to_owned()]));
    assert_eq!(held(&store).await.1.access().expose(), "a-2");
}

#[tokio::test(start_paused = true)]
async fn whoever_was_quicker_meanwhile_is_followed() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    *store.meanwhile.lock().unwrap() = Some(Some(stored("theirs", 5)));
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.exchanges()), (5, 1));
    assert_eq!(look(&pool, "a").expires_at, Some(day(HOUR)));
    assert_eq!(held(&store.inner).await.1.access().expose(), "theirs");
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_meanwhile_is_kept_beside_the_new_token() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    put(&store.inner, stored("a", 1)).await;
    let mut cooled = stored("a", 1);
    cooled.health.cooldowns.push(Cooldown::new(Kind::Billing, day(HOUR)));
    *store.meanwhile.lock().unwrap() = Some(Some(cooled.clone()));
    let (pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!((look(&pool, "a").generation.get(), server.exchanges()), (2, 1));
    let kept = store.inner.load(&key()).await.unwrap().unwrap().record;
    assert_eq!((kept.generation.get(), &kept.health), (2, &cooled.health));
    assert_eq!(held(&store.inner).await.1.access().expose(), "a-2");
}

#[tokio::test(start_paused = true)]
async fn a_removal_meanwhile_is_not_undone() {
    let (server, store) = (Server::rotating(wall(), HOUR), Flaky::default());
    put(&store.inner, stored("a", 1)).await;
    *store.meanwhile.lock().unwrap() = Some(None);
    let (_pool, stack) = expired(&server, store.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(store.inner.load(&key()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn two_pools_over_one_store_exchange_once() {
    let (server, store) = (Server::rotating(wall(), HOUR), MemoryStore::new());
    let (first_pool, first) = expired(&server, store.clone());
    let (second_pool, second) = expired(&server, store);
    assert_eq!(first.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(second.clone().oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1"]);
    for pool in [&first_pool, &second_pool] {
        assert_eq!(look(pool, "a").generation.get(), 2);
    }
    // In turn: whoever comes first exchanges for both.
    tokio::time::advance(HOUR).await;
    assert_eq!(second.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(first.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(server.spent(), ["a-r1", "a-r2"]);
}
