//! A store file that is taken away, put back or replaced while it is in use: it is never an empty store, nothing is
//! made in its place, and what could not be stored is stored when it is back.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use oauth_marathon::events::Event;
use oauth_marathon::store::{CasOutcome, Cooldown, FileStore, HealthChange, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::{RefreshRequest, TokenSource, token_source_fn};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, Credential, Error, ErrorKind, Generation, MarathonLayer, Pool, TokenSet};
use oauth_marathon_test::ScriptedProvider;
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

use crate::file_store::place::{Place, generation, key, raise};

/// A time limit that is longer than any wait of these tests on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

impl Place {
    fn elsewhere(&self) -> PathBuf {
        self.folder.path().join("elsewhere")
    }

    fn take_away(&self) {
        fs::rename(&self.path, self.elsewhere()).unwrap();
    }

    fn put_back(&self) {
        fs::rename(self.elsewhere(), &self.path).unwrap();
    }
}

fn is_gone(error: &BoxError, place: &Place) {
    let error = Error::find(&**error).unwrap();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Store, "{text}");
    assert!(text.contains(place.path.to_str().unwrap()) && text.contains("move it back"), "{text}");
}

#[tokio::test]
async fn a_file_that_was_there_and_is_gone_is_an_error_to_readers_and_writers_until_it_is_back() {
    let place = Place::new();
    let writer = FileStore::open(&place.path).await.unwrap();
    assert!(writer.load_all("openai").await.unwrap().is_empty(), "one that was never there is empty");
    let stored = raise(&writer, "work").await.unwrap().unwrap();
    let reader = FileStore::open(&place.path).await.unwrap();
    place.take_away();
    for store in [&writer, &reader] {
        is_gone(&store.load(&key("work")).await.unwrap_err(), &place);
        is_gone(&store.load_all("openai").await.unwrap_err(), &place);
        is_gone(&store.providers().await.unwrap_err(), &place);
        is_gone(&store.set_order("openai", &["work".into()]).await.unwrap_err(), &place);
        is_gone(&raise(store, "work").await.unwrap_err(), &place);
        is_gone(&store.compare_and_set(&key("work"), None, None).await.unwrap_err(), &place);
        let until = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        let cooling = HealthChange::new().cooled(Cooldown::new(Kind::Throttled, until));
        store.note_health(&key("work"), Generation::new(1), cooling);
        is_gone(&store.flush().await.unwrap_err(), &place);
    }
    assert!(!place.path.exists(), "nothing is made in its place");
    assert!(FileStore::open(&place.path).await.unwrap().load_all("openai").await.unwrap().is_empty());
    place.put_back();
    for store in [&writer, &reader] {
        store.flush().await.unwrap();
        let entry = store.load(&key("work")).await.unwrap().unwrap();
        assert_eq!((entry.record.generation.get(), entry.record.health.cooldowns.len()), (stored, 1));
    }
}

#[tokio::test]
async fn a_folder_that_is_gone_is_an_error_too() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    let folder = place.path.parent().unwrap();
    fs::rename(folder, place.elsewhere()).unwrap();
    is_gone(&store.load(&key("work")).await.unwrap_err(), &place);
    raise(&store, "work").await.unwrap_err();
    store.lease(&key("work"), Duration::ZERO).await.unwrap_err();
    assert!(!folder.exists());
    fs::rename(place.elsewhere(), folder).unwrap();
    assert_eq!(raise(&store, "work").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_removal_of_the_last_credential_leaves_the_file_empty_and_marked_as_ours() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    let held = store.load(&key("work")).await.unwrap().unwrap();
    assert_eq!(store.compare_and_set(&key("work"), Some(held.revision), None).await.unwrap(), CasOutcome::Removed);
    for store in [store, FileStore::open(&place.path).await.unwrap()] {
        assert!(store.load_all("openai").await.unwrap().is_empty() && store.providers().await.unwrap().is_empty());
    }
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&place.path).unwrap()).unwrap();
    assert!(text["version"] == 1 && text["checksum"].is_string(), "{text}");
}

/// A pool over the file, whose refresh waits for the test.
struct Running {
    place: Place,
    pool: Pool,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

fn tokens(number: u64) -> TokenSet {
    TokenSet::new(format!("a{number}")).with_refresh(format!("r{number}"))
}

impl Running {
    async fn start() -> Self {
        let place = Place::new();
        let store = FileStore::open(&place.path).await.unwrap();
        let record = Record::new(Credential::new("work", tokens(1).expires_at(UNIX_EPOCH)), Generation::new(1));
        assert!(matches!(
            store.compare_and_set(&key("work"), None, Some(record)).await.unwrap(),
            CasOutcome::Stored(_)
        ));
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let pool = Pool::builder("openai").origin("https://api.example.com").store(store);
        let pool = pool.token_source(source(asked.clone(), answer.clone())).open().await.unwrap();
        Self { place, pool, asked, answer }
    }

    fn send(&self) -> tokio::task::JoinHandle<u16> {
        let stack = MarathonLayer::new(self.pool.clone()).layer(ScriptedProvider::new());
        let body = http_body_util::Full::<bytes::Bytes>::default();
        let request = http::Request::post("https://api.example.com/v1").body(body).unwrap();
        tokio::spawn(async move { stack.oneshot(request).await.unwrap().status().as_u16() })
    }

    async fn stored(&self) -> Option<u64> {
        let store = FileStore::open(&self.place.path).await.ok()?;
        Some(store.load(&StoreKey::new("openai", "work")).await.ok()??.record.generation.get())
    }
}

/// A token source that takes each refresh token once.
fn source(asked: Arc<Notify>, answer: Arc<Notify>) -> impl TokenSource {
    let spent = Arc::new(AtomicBool::new(false));
    token_source_fn(move |request: RefreshRequest| {
        let (asked, answer, spent) = (asked.clone(), answer.clone(), spent.clone());
        async move {
            assert_eq!(request.tokens().refresh().unwrap().expose(), "r1");
            assert!(!spent.swap(true, Ordering::SeqCst), "it is sent a second time");
            asked.notify_one();
            answer.notified().await;
            Ok(tokens(2))
        }
    })
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("it does not come to it: {what}"));
}

#[tokio::test]
async fn pools_keep_their_accounts_while_the_file_is_away_and_say_so_once() {
    let running = Running::start().await;
    let other = FileStore::open(&running.place.path).await.unwrap();
    let other = Pool::builder("openai").origin("https://api.example.com").store(other).open().await.unwrap();
    let mut streams = [running.pool.events(), other.events()];
    running.place.take_away();
    for events in &mut streams {
        let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
        let Event::StoreFailed { message, .. } = &event else { panic!("{event}") };
        assert!(message.contains("move it back"), "{message}");
    }
    assert!(other.snapshot().credential("work").is_some() && running.pool.snapshot().credential("work").is_some());
    running.place.put_back();
    let store = FileStore::open(&running.place.path).await.unwrap();
    raise_label(&store).await;
    until("the pools follow it again", async || {
        [&other, &running.pool].iter().all(|pool| pool.snapshot().credential("work").unwrap().label == "new")
    })
    .await;
}

async fn raise_label(store: &FileStore) {
    let held = store.load(&key("work")).await.unwrap().unwrap();
    let mut next = held.record;
    next.credential = next.credential.label("new");
    assert!(matches!(
        store.compare_and_set(&key("work"), Some(held.revision), Some(next)).await.unwrap(),
        CasOutcome::Stored(_)
    ));
}

#[tokio::test]
async fn a_refresh_under_way_while_the_file_is_away_is_stored_when_it_is_back() {
    let running = Running::start().await;
    let call = running.send();
    running.asked.notified().await;
    running.place.take_away();
    running.answer.notify_one();
    assert_eq!(call.await.unwrap(), 200, "the new token is used from memory");
    assert_eq!(running.pool.snapshot().credential("work").unwrap().generation.get(), 2);
    assert!(!running.place.path.exists());
    running.place.put_back();
    until("the new tokens are stored", async || running.stored().await == Some(2)).await;
    let store = FileStore::open(&running.place.path).await.unwrap();
    let record = store.load(&key("work")).await.unwrap().unwrap().record;
    assert_eq!((record.intent, record.credential.material().clone()), (None, tokens(2).into()));
}

#[tokio::test]
async fn a_lease_of_tokens_that_are_in_memory_alone_is_taken_again_where_its_file_is_removed() {
    let running = Running::start().await;
    let call = running.send();
    running.asked.notified().await;
    running.place.take_away();
    running.answer.notify_one();
    assert_eq!(call.await.unwrap(), 200);
    let leases = fs::read_dir(running.place.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let leases: Vec<_> = leases.filter(|path| path.to_str().unwrap().ends_with(".lease")).collect();
    let [lease] = &leases[..] else { panic!("{leases:?}") };
    fs::remove_file(lease).unwrap();
    until("the lease is taken again", async || lease.exists()).await;
    let other = FileStore::open(&running.place.path).await.unwrap();
    assert!(other.lease(&key("work"), Duration::ZERO).await.unwrap().is_none(), "nobody else may send the spent token");
    running.place.put_back();
    until("the new tokens are stored", async || running.stored().await == Some(2)).await;
}

#[tokio::test]
async fn a_file_that_comes_back_with_older_content_costs_no_token() {
    let running = Running::start().await;
    fs::copy(&running.place.path, running.place.elsewhere()).unwrap();
    let call = running.send();
    running.asked.notified().await;
    running.answer.notify_one();
    assert_eq!(call.await.unwrap(), 200);
    assert_eq!(running.stored().await, Some(2));
    // The spent refresh token is in the file again.
    running.place.put_back();
    assert_eq!(running.stored().await, Some(1));
    for _ in 0..3 {
        assert_eq!(running.send().await.unwrap(), 200);
    }
    assert_eq!(running.pool.snapshot().credential("work").unwrap().generation.get(), 2);
    running.pool.shutdown().await;
}

#[tokio::test]
async fn another_store_in_its_place_is_read_as_what_it_is() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    let other = Place::new();
    let theirs = FileStore::open(&other.path).await.unwrap();
    raise(&theirs, "home").await.unwrap().unwrap();
    fs::copy(&other.path, &place.path).unwrap();
    assert!(store.load(&key("work")).await.unwrap().is_none());
    assert_eq!(generation("home", store.load(&key("home")).await.unwrap().as_ref()), 1);
    assert_eq!(raise(&store, "home").await.unwrap(), Some(2));
}
