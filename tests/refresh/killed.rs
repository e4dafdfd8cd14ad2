//! A process that is killed in the middle of a refresh: at whatever moment, the next start names the reason rightly,
//! and only this credential is affected.

use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Settings;
use oauth_marathon::events::Event;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, FileStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, MarathonLayer, Pool, Secret, TokenSet};
use tower::{Layer, ServiceExt};

use crate::support::children;
use crate::support::server::{Answer, Server, answer, post, read};

/// How many processes are killed; `.ci/long` sets more.
fn kills() -> usize {
    std::env::var("OAUTH_MARATHON_REFRESH_KILLS").map_or(24, |count| count.parse().unwrap())
}

/// The longest exchange.
const EXCHANGE: Duration = Duration::from_millis(300);

fn key() -> StoreKey {
    StoreKey::new("test", "work")
}

async fn open(path: &str, origin: &str) -> Pool {
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    let source = OAuth2::new(format!("{origin}/token"), "my-client", client);
    let store = FileStore::open(path).await.unwrap();
    let mut settings = Settings::default();
    // A process that finds another one's intent waits until that exchange must be over.
    settings.exchange_timeout = EXCHANGE;
    Pool::builder("test").origin(origin).settings(settings).token_source(source).store(store).open().await.unwrap()
}

async fn send(pool: &Pool, origin: &str) -> u16 {
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    let answer = MarathonLayer::new(pool.clone()).layer(client).oneshot(post(origin)).await.unwrap();
    read(answer).await.unwrap().0.as_u16()
}

/// The process that the killer kills.
#[tokio::test]
async fn process() {
    let Some(task) = children::task() else { return };
    let [path, origin] = &task[..] else { panic!("{task:?}") };
    let pool = open(path, origin).await;
    send(&pool, origin).await;
    // It lives until it is killed.
    std::future::pending::<()>().await;
}

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The server has given out new tokens, and no process has read the answer.
    BeforeTheAnswer,
    /// So many microseconds after the answer was sent.
    After(u64),
    /// After it has sent a request with the new token.
    InUse,
}

/// An OAuth server and a provider that kill their client at a moment.
#[derive(Clone)]
struct Killer {
    victim: Arc<Mutex<Option<Child>>>,
    moment: Moment,
    /// Whether the old refresh token is accepted once more, and answered with the same tokens.
    grace: bool,
    /// The refresh tokens, and the access tokens, that the server has seen.
    seen: Arc<Mutex<(Vec<String>, Vec<String>)>>,
    killed: Arc<tokio::sync::Notify>,
}

impl Killer {
    /// Kills the process, if it still lives, and waits for its end.
    fn kill(&self) {
        if let Some(mut victim) = self.victim.lock().unwrap().take() {
            victim.kill().unwrap();
            victim.wait().unwrap();
            self.killed.notify_one();
        }
    }

    async fn answer(self, request: http::Request<Incoming>) -> Answer {
        let is_grant = request.uri().path() == "/token";
        let bearer = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        if !is_grant {
            self.seen.lock().unwrap().1.push(bearer.unwrap_or_default());
            if self.moment == Moment::InUse {
                self.kill();
            }
            return answer(200, "ok");
        }
        let form = String::from_utf8(body.to_vec()).unwrap();
        let refresh = form.split('&').find_map(|field| field.strip_prefix("refresh_token=")).unwrap().to_owned();
        let count = {
            let spent = &mut self.seen.lock().unwrap().0;
            spent.push(refresh.clone());
            spent.iter().filter(|other| **other == refresh).count()
        };
        if count > 1 && !self.grace {
            return answer(400, r#"{"error":"invalid_grant"}"#);
        }
        match self.moment {
            Moment::BeforeTheAnswer => self.kill(),
            Moment::After(micros) => {
                let killer = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_micros(micros)).await;
                    tokio::task::spawn_blocking(move || killer.kill());
                });
            }
            Moment::InUse => {}
        }
        answer(200, r#"{"access_token":"new","refresh_token":"r2","token_type":"Bearer","expires_in":3600}"#)
    }
}

/// What the next process finds after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Found {
    Stored,
    Recovered,
    Lost,
}

async fn kill_once(moment: Moment, grace: bool) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store/credentials.json");
    let store = FileStore::open(&path).await.unwrap();
    let old = TokenSet::new("old").with_refresh("r1").expires_at(UNIX_EPOCH);
    for credential in [Credential::new("work", old), Credential::new("key", Secret::new("key"))] {
        let key = StoreKey::new("test", credential.id());
        let record = Record::new(credential, Generation::new(1));
        assert!(matches!(store.compare_and_set(&key, None, Some(record)).await.unwrap(), CasOutcome::Stored(_)));
    }
    let killer = Killer {
        victim: Arc::default(),
        moment,
        grace,
        seen: Arc::default(),
        killed: Arc::new(tokio::sync::Notify::new()),
    };
    let serve = killer.clone();
    let server = Server::start(move |request| serve.clone().answer(request)).await;
    let (path, origin) = (path.to_str().unwrap(), server.origin());
    {
        // Locked until the process is there, so that no killer reads the place before.
        let mut victim = killer.victim.lock().unwrap();
        *victim = Some(children::spawn(module_path!(), "process", &[path, &origin]));
    }
    killer.killed.notified().await;

    // What the dead process has left, and what the next one makes of it.
    let left = store.load(&key()).await.unwrap().unwrap().record;
    let was_stored = left.generation.get() == 2;
    assert_ne!(was_stored, left.intent.is_some(), "{moment:?}: {left:?}");
    let spent_before = killer.seen.lock().unwrap().0.len();
    let pool = open(path, &origin).await;
    let mut events = pool.events();
    let status = tokio::time::timeout(Duration::from_secs(60), send(&pool, &origin)).await.expect("it hangs");
    assert_eq!(status, 200, "{moment:?}: the pool goes on");
    pool.shutdown().await;
    let spent = killer.seen.lock().unwrap().0.len() - spent_before;
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    let work = pool.snapshot().credential("work").unwrap().clone();
    let found = match (was_stored, grace) {
        (true, _) => Found::Stored,
        (false, true) => Found::Recovered,
        (false, false) => Found::Lost,
    };
    match found {
        Found::Lost => {
            assert!(matches!(work.standing, Standing::Out { reason: OutReason::RefreshLost, .. }), "{work:?}");
            let is_named = |event: &Event| matches!(event, Event::Out { reason: OutReason::RefreshLost, .. });
            assert_eq!(told.iter().filter(|event| is_named(event)).count(), 1, "{told:?}");
        }
        Found::Stored | Found::Recovered => assert_eq!((work.standing, work.generation.get()), (Standing::Ready, 2)),
    }
    assert_eq!(spent, usize::from(!was_stored), "{moment:?}: the old refresh token is tried once, if at all");
    let bearers = killer.seen.lock().unwrap().1.clone();
    assert!(bearers.iter().all(|bearer| bearer != "Bearer old"), "{bearers:?}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_answer_and_the_save_is_named_at_the_next_start() {
    if children::task().is_some() {
        return;
    }
    assert_eq!(kill_once(Moment::BeforeTheAnswer, false).await, Found::Lost);
    assert_eq!(kill_once(Moment::BeforeTheAnswer, true).await, Found::Recovered);
    for grace in [false, true] {
        assert_eq!(kill_once(Moment::InUse, grace).await, Found::Stored, "it is stored before it is used");
    }
    let mut found = [0; 3];
    for kill in 0..kills() {
        let moment = Moment::After(fastrand::u64(0..3_000));
        found[kill_once(moment, kill % 2 == 0).await as usize] += 1;
    }
    let [stored, recovered, lost] = found;
    println!("of {} killed, {stored} had stored, {recovered} were recovered, {lost} were lost and named", kills());
}
