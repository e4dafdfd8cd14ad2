//! A pool that is what its store holds: opened with its order and health, followed, and written back.

#[path = "support/accounts.rs"]
mod accounts;

use std::time::{Duration, SystemTime};

use accounts::{ORIGIN, day, look, names, oauth, post, rotating, seconds, settle, wall};
use oauth_marathon::classify::{Answer, classify_fn};
use oauth_marathon::clock::WallClock;
use oauth_marathon::notify::{Event, LoginReason};
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::store::{
    CasOutcome, Cooldown, Entry, HealthChange, Intent, MemoryStore, Record, Revision, Store, StoreKey,
};
use oauth_marathon::testing::{Grant, ManualClock, Reply, ScriptedProvider, ScriptedStore, ScriptedTokens};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{BoxError, Credential, ErrorKind, Generation, MarathonLayer, Pool, RequestContext, Secret};
use tower::{Layer, ServiceExt};

const HOUR: Duration = seconds(3600);
const YEARS: i64 = 2 * 365 * 86_400;

fn key(id: &str) -> StoreKey {
    StoreKey::new("openai", id)
}

fn static_key(id: &str) -> Credential {
    Credential::new(id, Secret::new(id))
}

async fn put(store: &impl Store, credential: Credential) -> Entry {
    put_record(store, Record::new(credential, Generation::new(1))).await
}

/// Stores a record whatever is there.
async fn put_record(store: &impl Store, record: Record) -> Entry {
    let key = key(record.credential.id().as_str());
    let held = store.load(&key).await.unwrap().map(|held| held.revision);
    let CasOutcome::Stored(entry) = store.compare_and_set(&key, held, Some(record)).await.unwrap() else { panic!() };
    entry
}

async fn remove(store: &impl Store, id: &str) {
    let held = store.load(&key(id)).await.unwrap().map(|held| held.revision);
    assert_eq!(store.compare_and_set(&key(id), held, None).await.unwrap(), CasOutcome::Removed);
}

async fn held(store: &impl Store, id: &str) -> Option<Record> {
    store.load(&key(id)).await.unwrap().map(|held| held.record)
}

fn builder(store: impl Store) -> PoolBuilder {
    Pool::builder("openai").origin(ORIGIN).store(store).clock(wall())
}

async fn store_of(ids: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    for id in ids {
        put(&store, static_key(id)).await;
    }
    store
}

fn ids(pool: &Pool) -> Vec<String> {
    pool.snapshot().credentials.into_iter().map(|credential| credential.id.to_string()).collect()
}

fn rests_for(pool: &Pool, id: &str) -> Option<u64> {
    match look(pool, id).standing {
        // Rounded: a wall clock is cut to the millisecond.
        Standing::Cooling { rests_for, .. } => Some((rests_for.as_millis() as u64 + 500) / 1000),
        _ => None,
    }
}

fn out(pool: &Pool, id: &str) -> Option<LoginReason> {
    match look(pool, id).standing {
        Standing::Out { reason, .. } => Some(reason),
        _ => None,
    }
}

/// Lets the pools follow.
async fn two_seconds() {
    tokio::time::sleep(seconds(2)).await;
}

/// Sends one request that each token is answered with so.
async fn send(pool: &Pool, statuses: &[(&str, u16)]) -> u16 {
    let provider = ScriptedProvider::new();
    let provider = statuses.iter().fold(provider, |it, (token, status)| it.always(token, Reply::status(*status)));
    MarathonLayer::new(pool.clone()).layer(provider).oneshot(post()).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_pool_opens_with_the_order_and_the_health_that_the_store_holds() {
    let store = store_of(&["c", "a", "b", "d"]).await;
    store.note_health(
        &key("a"),
        Generation::new(1),
        HealthChange::new().cooled(Cooldown::new(Kind::Throttled, day(seconds(90)))),
    );
    store.note_health(&key("b"), Generation::new(1), HealthChange::new().out(Some(LoginReason::Banned)));
    let past = Cooldown::new(Kind::Throttled, day(seconds(0)) - seconds(1));
    store.note_health(&key("d"), Generation::new(1), HealthChange::new().cooled(past));
    let (told, heard) = std::sync::mpsc::channel();
    let pool = builder(store).notifier(move |event: &Event| told.send(event.clone()).unwrap()).open().await.unwrap();
    assert_eq!(ids(&pool), ["c", "d", "a", "b"]);
    assert_eq!((rests_for(&pool, "a"), out(&pool, "b")), (Some(90), Some(LoginReason::Banned)));
    assert_eq!(look(&pool, "d").standing, Standing::Ready);
    let event = heard.recv_timeout(seconds(60)).unwrap();
    assert!(matches!(&event, Event::LoginNeeded { credential, .. } if credential.id == "b"), "{event}");
    tokio::time::advance(seconds(91)).await;
    assert_eq!(send(&pool, &[("c", 429), ("d", 429)]).await, 200);
    assert_eq!(look(&pool, "a").successes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_generation_is_that_of_the_store_and_what_is_given_is_stored_behind() {
    let store = MemoryStore::new();
    put_record(&store, Record::new(static_key("a"), Generation::new(7))).await;
    let given = [static_key("b"), Credential::new("a", Secret::new("older"))];
    let pool = builder(store.clone()).credentials(given).open().await.unwrap();
    assert_eq!((ids(&pool), look(&pool, "a").generation.get()), (vec!["a".to_owned(), "b".to_owned()], 7));
    assert_eq!(held(&store, "a").await.unwrap().credential, static_key("a"), "the store knows better");
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
}

#[tokio::test(start_paused = true)]
async fn what_others_change_appears_within_two_seconds() {
    let store = store_of(&["a", "b"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();

    put(&store, static_key("c")).await;
    two_seconds().await;
    assert_eq!(ids(&pool), ["a", "b", "c"]);

    remove(&store, "a").await;
    two_seconds().await;
    assert_eq!(ids(&pool), ["b", "c"]);

    store.set_order("openai", &["c".into(), "b".into()]).await.unwrap();
    two_seconds().await;
    assert_eq!(ids(&pool), ["c", "b"]);

    put_record(&store, Record::new(Credential::new("c", Secret::new("other")).label("C"), Generation::new(2))).await;
    two_seconds().await;
    assert_eq!((look(&pool, "c").generation.get(), look(&pool, "c").label), (2, "C".to_owned()));
    assert_eq!(names(&mut events), ["refreshed"]);
    assert_eq!(send(&pool, &[("c", 500)]).await, 200);

    put_record(
        &store,
        Record::new(Credential::new("c", Secret::new("other")).label("D").header("x-key"), Generation::new(2)),
    )
    .await;
    two_seconds().await;
    assert_eq!(look(&pool, "c").label, "D");
    assert_eq!(names(&mut events), [""; 0], "it is the same token");

    // One that comes back is another one.
    put(&store, static_key("a")).await;
    two_seconds().await;
    assert_eq!(
        (ids(&pool), look(&pool, "a").generation.get()),
        (vec!["c".to_owned(), "b".to_owned(), "a".to_owned()], 2)
    );
}

#[tokio::test(start_paused = true)]
async fn rests_are_shared_and_so_are_their_ends() {
    let store = store_of(&["a", "b"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    assert_eq!(send(&one, &[("a", 429)]).await, 200);
    two_seconds().await;
    assert_eq!((rests_for(&one, "a"), rests_for(&other, "a")), (Some(28), Some(28)));
    assert_eq!(send(&other, &[]).await, 200);
    assert_eq!(look(&other, "b").successes, 1);

    // The later end wins, wherever it comes from.
    let noted = HealthChange::new().cooled(Cooldown::new(Kind::Throttled, day(seconds(100))));
    store.note_health(&key("a"), Generation::new(1), noted);
    two_seconds().await;
    assert_eq!((rests_for(&one, "a"), rests_for(&other, "a")), (Some(96), Some(96)));
    let shorter = HealthChange::new().cooled(Cooldown::new(Kind::Network, day(seconds(10))));
    store.note_health(&key("a"), Generation::new(1), shorter);
    two_seconds().await;
    assert_eq!(rests_for(&one, "a"), Some(94));

    // A person lifts it.
    assert!(other.clear("a", Scope::Credential));
    two_seconds().await;
    assert_eq!(look(&one, "a").standing, Standing::Ready);
    assert_eq!(held(&store, "a").await.unwrap().health, Default::default());
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_one_model_is_shared_and_so_is_its_end() {
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
        let models: Vec<_> = a.models.iter().map(|rest| (&*rest.model, rest.rests_for.as_secs())).collect();
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
async fn a_ban_is_known_to_all_and_lifted_by_all() {
    let store = store_of(&["a", "b"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    let mut events = other.events();
    store.note_health(&key("a"), Generation::new(1), HealthChange::new().out(Some(LoginReason::Banned)));
    two_seconds().await;
    assert_eq!((out(&one, "a"), out(&other, "a")), (Some(LoginReason::Banned), Some(LoginReason::Banned)));
    assert_eq!(names(&mut events), ["login_needed"]);
    assert!(one.clear("a", Scope::Credential));
    two_seconds().await;
    assert_eq!((look(&one, "a").standing, look(&other, "a").standing), (Standing::Ready, Standing::Ready));
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_in_the_pool_is_in_the_store_and_in_all_other_pools() {
    let store = store_of(&["a"]).await;
    let (one, other) = (builder(store.clone()).open().await.unwrap(), builder(store.clone()).open().await.unwrap());
    one.add(static_key("b")).unwrap();
    one.update("a", Secret::new("a2")).unwrap();
    one.flush().await.unwrap();
    let a = held(&store, "a").await.unwrap();
    assert_eq!((a.generation.get(), a.credential.material()), (2, &Secret::new("a2").into()));
    assert_eq!(look(&one, "a").generation.get(), 2);
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
    two_seconds().await;
    assert_eq!((ids(&other), look(&other, "a").generation.get()), (vec!["a".to_owned(), "b".to_owned()], 2));

    // Without a flush, too.
    assert!(other.remove("a"));
    two_seconds().await;
    assert_eq!((held(&store, "a").await, ids(&one)), (None, vec!["b".to_owned()]));

    one.replace(vec![static_key("d"), static_key("c"), static_key("b")]).unwrap();
    two_seconds().await;
    assert_eq!((ids(&one), ids(&other)), (vec!["d".to_owned(), "c".to_owned(), "b".to_owned()], ids(&one)));
}

#[tokio::test(start_paused = true)]
async fn an_update_wins_over_what_others_have_stored_meanwhile() {
    let store = store_of(&["a"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    // Not followed yet.
    put_record(&store, Record::new(Credential::new("a", Secret::new("theirs")), Generation::new(9))).await;
    pool.update("a", Secret::new("ours")).unwrap();
    pool.flush().await.unwrap();
    two_seconds().await;
    let a = held(&store, "a").await.unwrap();
    assert_eq!((a.generation.get(), a.credential.material()), (10, &Secret::new("ours").into()));
    assert_eq!(look(&pool, "a").generation.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_the_pool_goes_on_from_memory_and_catches_up() {
    let store = ScriptedStore::new();
    put(&store, static_key("a")).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();
    store.set_unwritable(true);
    pool.add(static_key("b")).unwrap();
    let error = pool.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("could not be stored: scripted: the store cannot be written"), "{error}");
    tokio::time::sleep(seconds(600)).await;
    assert_eq!((ids(&pool), send(&pool, &[("a", 429)]).await), (vec!["a".to_owned(), "b".to_owned()], 200));
    let told = names(&mut events);
    assert_eq!(told.iter().filter(|name| **name == "store_failed").count(), 1, "{told:?}");
    store.set_unwritable(false);
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
    let _ = names(&mut events);

    // The same for reading.
    store.set_unreadable(true);
    put(store.memory(), static_key("c")).await;
    two_seconds().await;
    assert_eq!((ids(&pool), names(&mut events)), (vec!["b".to_owned(), "a".to_owned()], vec!["store_failed"]));
    store.set_unreadable(false);
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(ids(&pool).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_opened_is_an_error_and_never_an_empty_pool() {
    struct NoList;
    impl Store for NoList {
        async fn load(&self, _: &StoreKey) -> Result<Option<Entry>, BoxError> {
            Ok(None)
        }
        async fn compare_and_set(
            &self,
            _: &StoreKey,
            _: Option<Revision>,
            _: Option<Record>,
        ) -> Result<CasOutcome, BoxError> {
            Ok(CasOutcome::Removed)
        }
    }
    let error = builder(NoList).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsupported);

    let store = ScriptedStore::new();
    store.set_unreadable(true);
    let error = builder(store).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(
        error.to_string().contains("\"openai\" could not be loaded: scripted: the store cannot be read"),
        "{error}"
    );

    let store = MemoryStore::new();
    put(&store, Credential::new("a", Secret::new("s3cret\n"))).await;
    let error = builder(store).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("credential \"a\"") && !error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_used_costs_that_change_alone() {
    let store = store_of(&["a", "b"]).await;
    let pool = builder(store.clone()).open().await.unwrap();
    let mut events = pool.events();
    put_record(&store, Record::new(Credential::new("a", Secret::new("bad\n")), Generation::new(2))).await;
    put(&store, static_key("c")).await;
    two_seconds().await;
    assert_eq!((ids(&pool), look(&pool, "a").generation.get()), (vec!["a".into(), "b".into(), "c".into()], 1));
    assert_eq!(names(&mut events), ["store_failed"]);
    assert_eq!(send(&pool, &[]).await, 200);
}

/// A wall clock that is wrong by so many seconds.
fn wrong(by: i64) -> ManualClock {
    let clock = wall();
    jump(&clock, by);
    clock
}

fn jump(clock: &ManualClock, by: i64) {
    let away = Duration::from_secs(by.unsigned_abs());
    clock.set(if by < 0 { clock.now() - away } else { clock.now() + away });
}

#[tokio::test(start_paused = true)]
async fn no_jump_of_the_clock_leaves_a_credential_stuck() {
    for (at_noting, at_opening) in
        [(YEARS, 0), (0, -YEARS), (-YEARS, 0), (0, YEARS), (YEARS, -YEARS), (3600, 0), (0, -3600)]
    {
        let store = store_of(&["a", "b"]).await;
        let server = rotating(wall(), HOUR);
        put(&store, oauth("t", Some(seconds(1800)))).await;
        let pool = builder(store.clone()).clock(wrong(at_noting)).open().await.unwrap();
        assert_eq!(send(&pool, &[("a", 429), ("b", 402)]).await, 200);
        pool.flush().await.unwrap();
        pool.shutdown().await;

        let pool = builder(store.clone()).clock(wrong(at_opening)).token_source(server.clone());
        let pool = pool.open().await.unwrap();
        let longest = rests_for(&pool, "a").max(rests_for(&pool, "b")).unwrap_or_default();
        assert!(longest <= 2 * 3600, "{at_noting} {at_opening}: {longest} s");
        // The token that seems to be expired is refreshed once, and no more.
        assert_eq!(send(&pool, &[]).await, 200);
        tokio::time::advance(seconds(2 * 3600)).await;
        settle().await;
        for id in ["a", "b"] {
            assert_eq!(rests_for(&pool, id), None, "{at_noting} {at_opening}: {id}");
        }
        assert!(server.exchanges().len() <= 1, "{at_noting} {at_opening}: {}", server.exchanges().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_while_the_pool_runs_moves_none_of_its_rests() {
    let store = store_of(&["a", "b"]).await;
    let clock = wall();
    let pool = builder(store.clone()).clock(clock.clone()).open().await.unwrap();
    assert_eq!(send(&pool, &[("a", 429)]).await, 200);
    two_seconds().await;
    let mut wrong = 0;
    for by in [YEARS, -YEARS, 0, 86_400, -86_400] {
        jump(&clock, by - wrong);
        wrong = by;
        put(&store, static_key("c")).await;
        two_seconds().await;
        remove(&store, "c").await;
        two_seconds().await;
        let left = rests_for(&pool, "a").unwrap_or_default();
        assert!(left <= 28, "{by}: {left}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_began_is_taken_up_when_the_pool_opens() {
    for (refused, reason) in [(false, None), (true, Some(LoginReason::RefreshLost))] {
        let server = match refused {
            true => ScriptedTokens::new().otherwise(Grant::refused()),
            false => rotating(wall(), HOUR),
        };
        let store = store_of(&["b"]).await;
        let mut record = Record::new(oauth("a", Some(Duration::ZERO)), Generation::new(3));
        record.intent = Some(Intent::new(Generation::new(3), SystemTime::UNIX_EPOCH));
        put_record(&store, record).await;
        let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
        let mut events = pool.events();
        settle().await;
        assert_eq!((server.spent(), out(&pool, "a")), (vec!["a-r1".to_owned()], reason));
        let expected = if refused { vec!["login_needed"] } else { vec!["refreshed"] };
        assert_eq!((names(&mut events), send(&pool, &[]).await), (expected, 200));
        assert_eq!(held(&store, "a").await.unwrap().intent, None);

        // The next start knows, and asks nobody.
        let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
        settle().await;
        assert_eq!((server.exchanges().len(), out(&pool, "a")), (1, reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_one_refreshes_all_use() {
    let server = rotating(wall(), HOUR);
    let store = MemoryStore::new();
    put(&store, oauth("a", Some(Duration::ZERO))).await;
    let open = async || builder(store.clone()).token_source(server.clone()).open().await.unwrap();
    let (one, other) = (open().await, open().await);
    assert_eq!(send(&one, &[("a-1", 500)]).await, 200);
    two_seconds().await;
    assert_eq!(look(&other, "a").generation.get(), 2, "without a request");
    assert_eq!(send(&other, &[("a-1", 500)]).await, 200);
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_removed_while_it_is_refreshed_stays_removed() {
    let server = rotating(wall(), HOUR);
    let store = store_of(&["b"]).await;
    put(&store, oauth("a", Some(Duration::ZERO))).await;
    store.set_order("openai", &["a".into()]).await.unwrap();
    let pool = builder(store.clone()).token_source(server.clone()).open().await.unwrap();
    server.hold();
    let client = MarathonLayer::new(pool.clone()).layer(ScriptedProvider::new());
    let call = tokio::spawn(client.oneshot(post()));
    settle().await;
    assert!(look(&pool, "a").refreshing);
    remove(&store, "a").await;
    two_seconds().await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    server.release();
    two_seconds().await;
    assert_eq!((ids(&pool), held(&store, "a").await), (vec!["b".to_owned()], None));
}

async fn scripted_of(ids: &[&str]) -> ScriptedStore {
    let store = ScriptedStore::new();
    for id in ids {
        put(&store, static_key(id)).await;
    }
    store
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
    assert_eq!(rests_for(&pool, "a"), Some(28));
    pool.add(static_key("c")).unwrap();
    two_seconds().await;
    assert!(held(&store, "c").await.is_some(), "the rest of it goes on");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_pool_stays_after_it() {
    for shut_down in [false, true] {
        let store = scripted_of(&["a"]).await;
        let pool = builder(store.clone()).open().await.unwrap();
        settle().await;
        assert!(store.clones() > 1);
        pool.add(static_key("b")).unwrap();
        if shut_down {
            pool.shutdown().await;
            assert!(held(&store, "b").await.is_some());
        }
        drop(pool);
        settle().await;
        assert_eq!(store.clones(), 1, "{shut_down}");
    }
}

#[test]
fn a_pool_is_opened_in_a_runtime() {
    let mut open = tokio_test::task::spawn(Pool::builder("openai").origin(ORIGIN).open());
    let std::task::Poll::Ready(outcome) = open.poll() else { panic!("it would wait for ever") };
    assert!(outcome.unwrap_err().to_string().contains("tokio runtime"));
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_lacks_is_said() {
    let open = async |json: &str| {
        let oauth = serde_json::from_str(json).unwrap();
        Pool::open("openai", MemoryStore::new(), &oauth).await.map(|pool| pool.snapshot().credentials.len())
    };
    let cases = [
        ("{}", "has no origin"),
        (r#"{ "origins": ["https://api.example.com/v1"] }"#, "origins: must be"),
        (r#"{ "origins": ["https://api.example.com"], "clientId": "mine" }"#, "tokenUrl: must be set"),
        (
            r#"{ "origins": ["https://api.example.com"], "tokenUrl": "https://id.example.com/token" }"#,
            "clientId: must be set",
        ),
    ];
    for (json, expected) in cases {
        let error = open(json).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(expected), "{json}: {error}");
    }
    let whole =
        r#"{ "origins": ["https://api.example.com"], "tokenUrl": "https://id.example.com/token", "clientId": "mine" }"#;
    assert_eq!(open(whole).await.unwrap(), 0);
}
