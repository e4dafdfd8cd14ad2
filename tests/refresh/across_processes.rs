//! Refreshes of one credential by several processes over one store: each pool here stands for a process.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::config::Settings;
use oauth_marathon::events::{Event, EventStream, LoginReason};
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, Entry, Intent, MemoryStore, Record, Revision, Store, StoreKey};
use oauth_marathon::testing::{Grant, Recorded, Reply, Save, ScriptedProvider, ScriptedStore, ScriptedTokens};
use oauth_marathon::tokens::refresh::{OAuth2, RefreshError, TokenSource, token_source_fn};
use oauth_marathon::{
    BoxError, Credential, Error, ErrorKind, Generation, Marathon, MarathonLayer, Pool, Secret, TokenSet,
};
use tower::{Layer, ServiceExt};

use crate::support::accounts::{ORIGIN, day, look, names, oauth, post, seconds, settle, wall};

const HOUR: Duration = seconds(3600);

/// Longer than an exchange that others have begun can be under way.
const EXCHANGE: Duration = seconds(40);

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

/// The first tokens, as a process stored them that then died in the middle of their refresh, an hour ago.
fn interrupted() -> Record {
    begun(day(Duration::ZERO) - HOUR)
}

/// The first tokens, and a refresh of them that another process began then.
fn begun(when: SystemTime) -> Record {
    let mut record = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(1));
    record.intent = Some(Intent::new(Generation::new(1), when));
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
    let Standing::Cooling { cooldown, .. } = look(&pool, "a").standing else { panic!() };
    assert_eq!(cooldown, seconds(5), "no long rest: the others are about to end");
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
    tokio::time::advance(EXCHANGE).await;
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

/// The lease is free, as somebody has removed its file, and another process is in the middle of its exchange.
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
        // Whatever a request is told meanwhile.
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

/// A store that gives out leases that exclude nobody.
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

/// A success without anything that could be kept: the refresh token may be spent.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_success_without_a_token_is_a_lost_refresh() {
    let ok = |body: &str| Reply::ok().body(body.to_owned());
    let answers = [
        ok(""),
        ok("{}"),
        ok("<!DOCTYPE html><html>sign in</html>"),
        ok(r#"{"access_token":"a b"}"#),
        ok(r#"{"access_token":"a"#),
        ok(r#"["a","r"]"#),
        ok("\u{1f}gzip").header("content-encoding", "gzip"),
        ok(&" ".repeat(2 << 20)),
        Reply::status(204),
        // A proxy in trouble does not know what became of it.
        Reply::status(500),
        Reply::status(502),
        Reply::status(504),
    ];
    for answer in answers {
        let (server, store) = (server([answer.clone(), refused()]), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        let record = held(&store).await;
        assert!(record.intent.is_some_and(|intent| intent.ended) && record.health.out.is_none(), "{answer:?}");
        tokio::time::advance(HOUR).await;
        assert!(pool.remove("b") && stack.clone().oneshot(post()).await.is_err());
        assert_eq!((out(&pool), spent(&server).len()), (Some(LoginReason::RefreshLost), 2), "{answer:?}");
        assert_eq!(held(&store).await.health.out, Some(LoginReason::RefreshLost), "{answer:?}");
    }
}

/// The old refresh token is spent for the new one, which must not be lost over the rest.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_comes_without_a_usable_access_token_is_sent_next() {
    let bodies = [
        r#"{"refresh_token":"a-r2"}"#,
        r#"{"access_token":"a b","refresh_token":"a-r2"}"#,
        r#"{"access_token":"a-2","error":"slow_down","refresh_token":"a-r2"}"#,
        r#"{"error":"invalid_grant","refreshToken":"a-r2"}"#,
        r#"{"refresh_token":"a-r2","access_token":"#,
    ];
    for body in bodies {
        let third = Reply::ok().body(r#"{"access_token":"a-3","refresh_token":"a-r3","expires_in":3600}"#);
        let (server, store) = (server([Reply::ok().body(body), third]), MemoryStore::new());
        let (pool, stack, _) = process(&server, &store, Duration::ZERO);
        send(&stack).await;
        assert_eq!((look(&pool, "b").successes, out(&pool)), (1, None), "{body}: it rests for a while");
        let record = held(&store).await;
        let tokens = record.credential.material().clone();
        assert_eq!((record.generation.get(), record.intent), (2, None), "{body}");
        let kept = TokenSet::new("a-1").with_refresh("a-r2").expires_at(day(Duration::ZERO));
        assert_eq!(tokens, kept.into(), "{body}: the old access token counts as expired");
        // Another process that comes now goes on from there, too.
        let (other, through, _) = process(&server, &store, Duration::ZERO);
        send(&through).await;
        assert_eq!((spent(&server), look(&other, "a").generation.get()), (vec!["a-r1".into(), "a-r2".into()], 3));
        tokio::time::advance(seconds(31)).await;
        assert!(pool.remove("b"));
        send(&stack).await;
        assert_eq!((spent(&server).len(), look(&pool, "a").generation.get(), look(&pool, "a").successes), (2, 3, 1));
    }
}

/// The same while the store cannot take it.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_came_alone_is_kept_in_memory_until_it_is_stored() {
    let third = Reply::ok().body(r#"{"access_token":"a-3","refresh_token":"a-r3","expires_in":3600}"#);
    let server = server([Reply::ok().body(r#"{"refresh_token":"a-r2"}"#), third]);
    let store = ScriptedStore::new().saves([Save::Works, Save::Fails]);
    let pool =
        Pool::builder("openai").origin(ORIGIN).token_source(endpoint(&server)).store(store.clone()).clock(wall());
    let pool = pool.credential(oauth("a", Some(Duration::ZERO))).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    let mut events = pool.events();
    assert!(stack.clone().oneshot(post()).await.is_err());
    assert_eq!(names(&mut events)[..2], ["store_failed", "refresh_failed"]);
    assert_eq!(held(store.memory()).await.generation.get(), 1);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(held(store.memory()).await.generation.get(), 2, "it is stored soon");
    tokio::time::advance(seconds(31)).await;
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(spent(&server), ["a-r1", "a-r2"]);
}
