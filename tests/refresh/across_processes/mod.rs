//! Refreshes of one credential by several processes over one store: each pool here stands for a process.

mod incomplete_answers;
mod lost_refreshes;
mod waiting;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::events::EventStream;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, Intent, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::{OAuth2, RefreshError, TokenSource, token_source_fn};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, Marathon, MarathonLayer, Pool, Secret, TokenSet};
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, day, look, oauth, post, seconds, wall};

const HOUR: Duration = seconds(3600);

/// Longer than any exchange of another process can be under way.
const EXCHANGE: Duration = seconds(40);

fn key() -> StoreKey {
    StoreKey::new("openai", "a")
}

/// Fresh tokens that live for an hour.
fn fresh() -> Reply {
    Reply::ok().body(r#"{"access_token":"a-2","refresh_token":"a-r2","expires_in":3600}"#)
}

/// A refusal for good: the refresh token was used before.
fn refused() -> Reply {
    Reply::status(400).body(r#"{"error":"invalid_grant"}"#)
}

/// A reply that never comes.
fn lost() -> Reply {
    Reply::connection_error()
}

/// An answer without tokens, for now.
fn busy() -> Reply {
    Reply::status(503)
}

/// A token endpoint with this script, whose last reply is repeated.
fn server(script: impl IntoIterator<Item = Reply>) -> ScriptedProvider {
    let mut last = None;
    let server = script.into_iter().fold(ScriptedProvider::new(), |server, reply| {
        last = Some(reply.clone());
        server.then(reply)
    });
    server.otherwise(last.expect("a script"))
}

/// The refresh tokens that the token endpoint has received.
fn spent(server: &ScriptedProvider) -> Vec<String> {
    let body = |request: Recorded| String::from_utf8(request.body.unwrap().to_vec()).unwrap();
    let token = |body: String| body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).unwrap().to_owned();
    server.requests().into_iter().map(|request| token(body(request))).collect()
}

async fn put(store: &MemoryStore, record: Record) {
    let held = store.load(&key()).await.unwrap().map(|held| held.revision);
    assert!(matches!(store.compare_and_set(&key(), held, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
}

async fn remove(store: &MemoryStore) {
    let held = store.load(&key()).await.unwrap().map(|held| held.revision);
    assert_eq!(store.compare_and_set(&key(), held, None).await.unwrap(), CasOutcome::Removed);
}

async fn held(store: &MemoryStore) -> Record {
    store.load(&key()).await.unwrap().unwrap().record
}

/// The first tokens, as a process stored them that then died in the middle of their refresh, an hour ago.
fn interrupted() -> Record {
    begun(day(Duration::ZERO) - HOUR)
}

/// The first tokens, with the intent of another process that began its refresh at this time.
fn begun(when: SystemTime) -> Record {
    let mut record = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(1));
    record.intent = Some(Intent::new(Generation::new(1), when));
    record
}

fn theirs(generation: u64) -> Record {
    let tokens = TokenSet::new("theirs").with_refresh("theirs-r").expires_at(day(HOUR));
    Record::new(Credential::new("a", tokens), Generation::new(generation))
}

/// A process, whose token has this much life left, with a key beside it.
fn process(
    server: &ScriptedProvider,
    store: &MemoryStore,
    life: Duration,
) -> (Pool, Marathon<ScriptedProvider>, EventStream) {
    process_over(endpoint(server), store, life)
}

fn endpoint(server: &ScriptedProvider) -> impl TokenSource + use<> {
    OAuth2::<_, Full<Bytes>>::new("https://id.example.com/token", "mine", server.clone()).clock(wall())
}

fn process_over(
    source: impl TokenSource,
    store: &MemoryStore,
    life: Duration,
) -> (Pool, Marathon<ScriptedProvider>, EventStream) {
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(source).store(store.clone()).clock(wall());
    let pool = pool.credentials([oauth("a", Some(life)), Credential::new("b", Secret::new("key"))]).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    let events = pool.events();
    (pool, stack, events)
}

/// A token source that refuses for good, after another process has stored this record, or with `None` has
/// removed it.
fn refused_after(record: Option<Record>, store: &MemoryStore) -> impl TokenSource + use<> {
    let store = store.clone();
    token_source_fn(move |_| {
        let (store, record) = (store.clone(), record.clone());
        async move {
            match record {
                Some(record) => put(&store, record).await,
                None => remove(&store).await,
            }
            Err(RefreshError::login_needed("it was used before"))
        }
    })
}

fn out(pool: &Pool) -> Option<OutReason> {
    match look(pool, "a").standing {
        Standing::Out { reason, .. } => Some(reason),
        _ => None,
    }
}

async fn send(stack: &Marathon<ScriptedProvider>) {
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
}
