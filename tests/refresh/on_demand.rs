//! `Pool::refresh`: a token is replaced because somebody asks for it.

use std::error::Error as _;
use std::time::Duration;

use oauth_marathon::pool::Standing;
use oauth_marathon::store::{MemoryStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::RefreshError;
use oauth_marathon::{Credential, ErrorKind, Generation, MarathonLayer, Pool, Secret, TokenSet};
use oauth_marathon_test::{Grant, Save, ScriptedProvider, ScriptedStore, ScriptedTokens};
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, look, oauth, post, rotating, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

/// A pool of one account whose token is valid for an hour.
fn pool(tokens: &ScriptedTokens, store: impl Store) -> Pool {
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(tokens.clone()).store(store).clock(wall());
    pool.credential(oauth("a", Some(HOUR))).build().unwrap()
}

/// The generation that the store holds.
async fn stored(store: &MemoryStore) -> Option<Generation> {
    let found: Option<Record> = store.load(&StoreKey::new("openai", "a")).await.unwrap().map(|entry| entry.record);
    found.map(|record| record.generation)
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_replaced_and_the_new_one_is_stored_and_used() {
    let (tokens, store) = (rotating(wall(), HOUR), ScriptedStore::new());
    let pool = pool(&tokens, store.clone());
    assert_eq!(pool.refresh("a").await.unwrap(), Generation::new(2));
    assert_eq!(stored(store.memory()).await, Some(Generation::new(2)));
    let provider = ScriptedProvider::new();
    MarathonLayer::new(pool).layer(provider.clone()).oneshot(post()).await.unwrap();
    assert_eq!((provider.tokens(), tokens.spent()), (vec!["a-2".to_owned()], vec!["a-r1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_at_once_share_one_exchange_which_outlives_them() {
    let tokens = rotating(wall(), HOUR);
    let pool = pool(&tokens, MemoryStore::new());
    tokens.hold();
    let ask = |pool: Pool| tokio::spawn(async move { pool.refresh("a").await });
    let waiters = [ask(pool.clone()), ask(pool.clone()), ask(pool.clone())];
    let mut gone = tokio_test::task::spawn(pool.refresh("a"));
    assert!(gone.poll().is_pending());
    drop(gone);
    tokens.release();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap(), Generation::new(2));
    }
    assert_eq!(tokens.spent(), ["a-r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_known_to_be_refused_is_sent_again() {
    let tokens = rotating(wall(), HOUR).on("a", [Grant::refused()]);
    let store = MemoryStore::new();
    let pool = pool(&tokens, store.clone());
    let error = pool.refresh("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert!(error.to_string().starts_with("the token of \"a\" could not be refreshed: "), "{error}");
    assert!(error.source().is_some_and(|source| source.is::<RefreshError>()), "{error:?}");
    // The token is still valid, so it stays in use.
    assert!(matches!(look(&pool, "a").standing, Standing::Ready), "{:?}", look(&pool, "a").standing);

    assert_eq!(pool.refresh("a").await.unwrap(), Generation::new(2));
    assert_eq!((tokens.spent().len(), stored(&store).await), (2, Some(Generation::new(2))));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_stored_is_an_error_and_is_not_lost() {
    let tokens = rotating(wall(), HOUR);
    let store = ScriptedStore::new().saves([Save::Works, Save::Fails, Save::Fails]);
    let pool = pool(&tokens, store.clone());
    let error = pool.refresh("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("in memory alone, and stored as soon as that works"), "{error}");
    assert_eq!(look(&pool, "a").generation, Generation::new(2));
    tokio::time::sleep(seconds(120)).await;
    assert_eq!((stored(store.memory()).await, tokens.spent().len()), (Some(Generation::new(2)), 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_refreshed_says_why() {
    let tokens = rotating(wall(), HOUR);
    let pool = pool(&tokens, MemoryStore::new());
    pool.add(Credential::new("key", Secret::new("k"))).unwrap();
    let refused = async |pool: &Pool, id: &str| {
        let error = pool.refresh(id).await.unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, message) = refused(&pool, "nobody").await;
    assert_eq!(kind, ErrorKind::UnknownCredential, "{message}");
    let (kind, message) = refused(&pool, "key").await;
    assert!(kind == ErrorKind::Refresh && message.contains("no refresh token; log in"), "{message}");

    let login = Credential::new("a", TokenSet::new("t").with_refresh("r"));
    let without = Pool::builder("openai").origin(ORIGIN).credential(login).build().unwrap();
    let (kind, message) = refused(&without, "a").await;
    assert!(kind == ErrorKind::Refresh && message.contains("PoolBuilder::token_source"), "{message}");

    tokens.hold();
    let mut removed = tokio_test::task::spawn(pool.refresh("a"));
    assert!(removed.poll().is_pending());
    settle().await;
    assert!(pool.remove("a"));
    tokens.release();
    assert_eq!(removed.await.unwrap_err().kind(), ErrorKind::UnknownCredential);

    pool.shutdown().await;
    assert_eq!(refused(&pool, "key").await.0, ErrorKind::Closed);
    assert_eq!(tokens.spent().len(), 1);
}
