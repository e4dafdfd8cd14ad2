//! Refreshes of one credential by several processes over one store: each pool here stands for a process.

#[path = "support/accounts.rs"]
mod accounts;

use std::time::Duration;

use accounts::{ORIGIN, day, look, names, oauth, post, seconds, settle, wall};
use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::notify::{Event, EventStream, LoginReason};
use oauth_marathon::pool::Standing;
use oauth_marathon::refresh::{OAuth2, RefreshError, TokenSource, token_source_fn};
use oauth_marathon::store::{CasOutcome, Intent, MemoryStore, Record, Store, StoreKey};
use oauth_marathon::testing::{Grant, Recorded, Reply, ScriptedProvider, ScriptedTokens};
use oauth_marathon::{Credential, Error, ErrorKind, Generation, Marathon, MarathonLayer, Pool, Secret, TokenSet};
use tower::{Layer, ServiceExt};

const HOUR: Duration = seconds(3600);

fn key() -> StoreKey {
    StoreKey::new("openai", "a")
}

/// Fresh tokens that live for an hour.
fn fresh() -> Reply {
    Reply::ok().body(r#"{"access_token":"a-2","refresh_token":"a-r2","expires_in":3600}"#)
}

/// The refresh token was used before.
fn refused() -> Reply {
    Reply::status(400).body(r#"{"error":"invalid_grant"}"#)
}

/// No answer comes.
fn lost() -> Reply {
    Reply::connection_error()
}

/// An answer comes that has no tokens.
fn busy() -> Reply {
    Reply::status(503)
}

/// The token endpoint; the script's last line is repeated.
fn server(script: impl IntoIterator<Item = Reply>) -> ScriptedProvider {
    let mut last = None;
    let server = script.into_iter().fold(ScriptedProvider::new(), |server, reply| {
        last = Some(reply.clone());
        server.then(reply)
    });
    server.otherwise(last.expect("a script"))
}

/// The refresh tokens that it was sent.
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

/// The first tokens, as a process stored them that then died in the middle of their refresh.
fn interrupted() -> Record {
    let mut record = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(1));
    record.intent = Some(Intent::new(Generation::new(1), day(Duration::ZERO)));
    record
}

fn theirs(generation: u64) -> Record {
    let tokens = TokenSet::new("theirs").with_refresh("theirs-r").expires_at(day(HOUR));
    Record::new(Credential::new("a", tokens), Generation::new(generation))
}

/// A process whose token lives so long, with a key beside it.
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

/// Refuses, after others have stored this record or removed theirs.
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

fn out(pool: &Pool) -> Option<LoginReason> {
    match look(pool, "a").standing {
        Standing::Out { reason, .. } => Some(reason),
        _ => None,
    }
}

async fn send(stack: &Marathon<ScriptedProvider>) {
    assert_eq!(stack.clone().oneshot(post()).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn nobody_refreshes_while_others_do_and_requests_go_on_with_another_account() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let lease = store.lease(&key(), HOUR).await.unwrap().unwrap();
    let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
    let begin = tokio::time::Instant::now();
    send(&stack).await;
    assert_eq!(begin.elapsed(), seconds(5));
    assert_eq!(spent(&server), [""; 0]);
    let Standing::Cooling { rests_for, .. } = look(&pool, "a").standing else { panic!() };
    assert_eq!(rests_for, seconds(5), "no long rest: the others are about to end");
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

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_began_is_tried_once_and_recovers_where_the_server_lets_it() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    put(&store, interrupted()).await;
    let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
    assert_eq!((names(&mut events), held(&store).await.intent), (vec!["refreshed"], None));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_lost_is_named_costs_this_credential_alone_and_is_known_to_all() {
    let (server, store) = (server([refused()]), MemoryStore::new());
    put(&store, interrupted()).await;
    for _ in 0..3 {
        let (pool, stack, mut events) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        assert_eq!(out(&pool), Some(LoginReason::RefreshLost));
        assert_eq!(look(&pool, "b").successes, 1);
        let event = events.try_recv().unwrap();
        assert!(matches!(event, Event::LoginNeeded { reason: LoginReason::RefreshLost, .. }), "{event}");
        assert_eq!(spent(&server), ["a-r1"], "it is not tried again");
    }
    assert_eq!(held(&store).await.health.out, Some(LoginReason::RefreshLost));

    // A new login ends it.
    put(&store, theirs(2)).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((look(&pool, "a").standing, look(&pool, "a").generation.get()), (Standing::Ready, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_lost_refresh_only_after_one_that_had_no_answer() {
    let cases = [
        (vec![refused()], LoginReason::RefreshRefused),
        (vec![lost(), refused()], LoginReason::RefreshLost),
        (vec![lost(), lost(), refused()], LoginReason::RefreshLost),
        (vec![busy(), refused()], LoginReason::RefreshRefused),
        (vec![lost(), busy(), refused()], LoginReason::RefreshLost),
    ];
    for (script, reason) in cases {
        let (server, store) = (server(script.clone()), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        assert!(pool.remove("b"));
        for _ in &script {
            assert!(stack.clone().oneshot(post()).await.is_err());
            tokio::time::advance(seconds(31)).await;
        }
        assert_eq!(out(&pool), Some(reason), "{script:?}");
        assert_eq!((held(&store).await.intent, held(&store).await.health.out), (None, Some(reason)), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_others_have_stored_a_newer_token_is_no_failure() {
    let store = MemoryStore::new();
    let source = refused_after(Some(theirs(2)), &store);
    let (pool, stack, mut events) = process_over(source, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((look(&pool, "a").generation.get(), look(&pool, "a").successes), (2, 1));
    assert_eq!((names(&mut events), held(&store).await), (vec!["refreshed"], theirs(2)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_others_have_removed_the_credential_only_removes_it() {
    let store = MemoryStore::new();
    let source = refused_after(None, &store);
    let (pool, stack, mut events) = process_over(source, &store, Duration::ZERO);
    send(&stack).await;
    assert!(pool.snapshot().credential("a").is_none());
    assert_eq!((names(&mut events), store.load(&key()).await.unwrap()), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_it_refreshes_leaves_the_lease_and_the_intent_behind() {
    let (server, store) = (server([fresh()]), MemoryStore::new());
    let waiting = ScriptedTokens::new().otherwise(Grant::pending());
    let pool = Pool::builder("openai").origin(ORIGIN).token_source(waiting).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool).layer(ScriptedProvider::new());
    // Its own runtime, on a thread of its own, dies with all tasks.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(stack.oneshot(post()));
            settle().await;
        });
    })
    .join()
    .unwrap();
    assert_eq!(held(&store).await.intent.unwrap().generation.get(), 1);
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    send(&stack).await;
    assert_eq!((spent(&server), look(&pool, "a").generation.get()), (vec!["a-r1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_only_login_is_lost_says_so() {
    let (server, store) = (server([refused()]), MemoryStore::new());
    put(&store, interrupted()).await;
    let (pool, stack, _) = process(&server, &store, Duration::ZERO);
    assert!(pool.remove("b"));
    let error = stack.oneshot(post()).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::LoginNeeded);
}
