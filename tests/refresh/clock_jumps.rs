//! Processes whose time of day jumps by two years, over one file. Needs `faketime`, which `.ci/run` installs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{CasOutcome, FileStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{Credential, Generation, MarathonLayer, Pool, RequestContext, Secret, TokenSet};
use tower::{Layer, ServiceExt};

use crate::servers::rotating::Rotating;
use crate::support::children;
use crate::support::server::{self, Server, answer, post, read, state_of, within};

const YEARS: i64 = 2 * 365 * 86_400;

/// A login, a key that is limited, and one whose bill is unpaid.
const CREDENTIALS: [&str; 3] = ["work", "limited", "unpaid"];

/// How long the limited key cools by its provider's word.
const STATED: Duration = Duration::from_secs(3600);

/// The cooldowns that are our own guess are so short that requests wait for their end.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.when_all_cooling = WhenAllCooling::Wait;
    settings.rate_limit_cooldown = Duration::from_secs(1);
    settings.payment_cooldown = Duration::from_secs(1);
    settings.max_cooldown = STATED;
    settings.max_wait = Duration::from_secs(20);
    settings
}

async fn open(path: &Path, origin: &str, settings: Settings) -> Pool {
    let store = FileStore::open(path).await.unwrap();
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    let source = OAuth2::new(format!("{origin}/token"), "my-client", client);
    Pool::builder("test").origin(origin).settings(settings).token_source(source).store(store).open().await.unwrap()
}

async fn send(pool: &Pool, context: RequestContext, request: Request<Full<Bytes>>) -> u16 {
    let client = HttpClient::<Full<Bytes>>::new().unwrap();
    let answered = context.scope(MarathonLayer::new(pool.clone()).layer(client).oneshot(request)).await.unwrap();
    read(answered).await.unwrap().0.as_u16()
}

/// Uses every credential, with waits of `max_wait` at most.
async fn use_all(pool: &Pool, origin: &str) {
    for id in CREDENTIALS {
        assert_eq!(send(pool, RequestContext::new().with_pin(id), post(origin)).await, 200, "{id}");
    }
}

/// Makes the two keys cool, each for its own reason. With `stated`, the provider names seconds for one of them.
async fn limit(pool: &Pool, origin: &str, stated: bool) {
    for id in &CREDENTIALS[1..] {
        let path = if stated { "refuse/stated" } else { "refuse" };
        let request = Request::post(format!("{origin}/{path}")).body(Full::default()).unwrap();
        // It does not wait for the end of the cooldown.
        let context = RequestContext::new().with_pin(*id).with_timeout(Duration::ZERO);
        assert_ne!(send(pool, context, request).await, 200, "{id}");
        assert!(matches!(state_of(pool, id).standing, Standing::Cooling { .. }), "{id}");
    }
}

/// A process that finds what others have left, uses all of it, and leaves its own cooldowns behind.
#[tokio::test]
async fn process() {
    let Some(task) = children::task() else { return };
    let [path, origin, began, clock, jumps] = &task[..] else { panic!("{task:?}") };
    let away = |jump: i64| {
        let away = SystemClock::default().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!((away - began.parse::<i64>().unwrap() - jump).abs() < 86_400, "the clock has not jumped by {jump} s");
    };
    let mut jumps = jumps.split(' ').map(|jump| jump.parse().unwrap());
    away(jumps.next().unwrap());
    let pool = open(path.as_ref(), origin, settings()).await;
    for id in CREDENTIALS {
        if let Standing::Cooling { cooldown, .. } = state_of(&pool, id).standing {
            assert!(cooldown <= STATED, "{id} cools for {cooldown:?}");
        }
    }
    use_all(&pool, origin).await;
    for jump in jumps {
        limit(&pool, origin, false).await;
        set(clock.as_ref(), jump);
        away(jump);
        use_all(&pool, origin).await;
    }
    limit(&pool, origin, true).await;
    pool.shutdown().await;
    let (stored, now) = (FileStore::open(path).await.unwrap(), SystemClock::default().now());
    for entry in stored.load_all("test").await.unwrap() {
        let ends: Vec<_> = entry.record.health.cooldowns.iter().map(|cooldown| cooldown.until).collect();
        assert!(ends.iter().all(|end| *end <= now + STATED), "{}: {ends:?} at {now:?}", entry.record.credential.id());
    }
}

/// Moves the clock of all processes that read it from this file, in one step.
fn set(clock: &Path, jump: i64) {
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("{jump:+}")).unwrap();
    std::fs::rename(next, clock).unwrap();
}

/// The path of the library that gives a process another clock. `None` if it is not installed, which is printed.
fn library() -> Option<String> {
    let found = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let path = found.ok().filter(|found| found.status.success()).and_then(|found| String::from_utf8(found.stdout).ok());
    if path.is_none() {
        let required = std::env::var_os("OAUTH_MARATHON_SKIP_NOTHING").is_some();
        assert!(!required, "cannot be left out here: faketime is not installed");
        eprintln!("left out: jumps of a process's clock: faketime is not installed");
    }
    path.map(|path| path.trim().to_owned())
}

struct World {
    library: String,
    folder: tempfile::TempDir,
    rotating: Rotating,
    server: Server,
}

impl World {
    /// A store with credentials that are all ready. `None` if clocks cannot jump here.
    async fn new() -> Option<Self> {
        let library = library()?;
        let rotating = Rotating::new(1);
        rotating.open("work", 1);
        let serve = rotating.clone();
        let server = Server::start(move |request| {
            let serve = serve.clone();
            async move { serve_all(&serve, request).await }
        })
        .await;
        let world = Self { library, folder: tempfile::tempdir().unwrap(), rotating, server };
        let store = FileStore::open(world.path()).await.unwrap();
        let expiry = SystemClock::default().now() + Duration::from_secs(3600);
        let tokens = TokenSet::new("access.work.1").with_refresh("refresh.work.1").expires_at(expiry);
        let keys = CREDENTIALS[1..].iter().map(|id| Credential::new(*id, Secret::new(*id)));
        for credential in std::iter::once(Credential::new("work", tokens)).chain(keys) {
            let key = StoreKey::new("test", credential.id());
            let stored = store.compare_and_set(&key, None, Some(Record::new(credential, Generation::new(1)))).await;
            assert!(matches!(stored.unwrap(), CasOutcome::Stored(_)));
        }
        Some(world)
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("store/credentials.json")
    }

    /// Runs a process that starts at the first of these clocks, and sees the others while it runs. Says how many refreshes
    /// there were.
    async fn run(&self, jumps: &[i64]) -> usize {
        let before = self.rotating.counts();
        let (path, clock) = (self.path(), self.folder.path().join("clock"));
        set(&clock, jumps[0]);
        let began = SystemClock::default().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let words: Vec<_> = jumps.iter().map(i64::to_string).collect();
        let task = [
            path.to_str().unwrap(),
            &self.server.origin(),
            &began.to_string(),
            clock.to_str().unwrap(),
            &words.join(" "),
        ];
        let mut command = children::command(module_path!(), "process", &task);
        // The monotonic clock of a machine does not jump, and neither do the times of its files.
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        assert!(children::ended_well(command.spawn().unwrap()).await, "{jumps:?}");
        let after = self.rotating.counts();
        assert_eq!(after.reuses, 0, "{jumps:?}");
        after.refreshes - before.refreshes
    }
}

/// The login is what the OAuth server says. The keys are fine, unless they are to be refused.
async fn serve_all(rotating: &Rotating, request: Request<hyper::body::Incoming>) -> server::Answer {
    let key = crate::support::raw::bearer(request.headers());
    if !CREDENTIALS[1..].contains(&&*key) {
        return rotating.answer(request).await;
    }
    let path = request.uri().path();
    if !path.starts_with("/refuse") {
        return answer(200, "ok");
    }
    let mut refused = answer(if key == "limited" { 429 } else { 402 }, "no");
    if path.ends_with("/stated") {
        refused.headers_mut().insert("retry-after", STATED.as_secs().into());
    }
    refused
}

#[tokio::test]
async fn a_process_that_starts_two_years_away_finds_no_credential_stuck() {
    if children::task().is_some() {
        return;
    }
    within(async {
        let Some(world) = World::new().await else { return };
        // What the first one leaves behind ends in an hour.
        let pool = open(&world.path(), &world.server.origin(), settings()).await;
        limit(&pool, &world.server.origin(), true).await;
        pool.shutdown().await;
        assert_eq!(world.run(&[YEARS]).await, 1, "it finds an expired token");
        for jump in [-YEARS, 0] {
            let refreshes = world.run(&[jump]).await;
            assert_eq!(refreshes, 0, "{jump}: the token of the one before lives on");
        }
        // One that seems to live for years has to be refused before it is replaced, which happens once.
        world.rotating.expire("work");
        assert_eq!(world.run(&[-YEARS]).await, 1);
        assert_eq!(world.rotating.counts().unauthorized, 1);
        assert_eq!(world.run(&[0]).await, 1, "what that one has brought seems to have expired long ago");
    })
    .await;
}

#[tokio::test]
async fn a_process_whose_clock_jumps_while_it_runs_keeps_none_from_use_and_neither_do_its_neighbours() {
    if children::task().is_some() {
        return;
    }
    within(async {
        let Some(world) = World::new().await else { return };
        let origin = world.server.origin();
        let neighbour = open(&world.path(), &origin, settings()).await;
        use_all(&neighbour, &origin).await;
        // The life of a token in use is kept by the monotonic clock.
        assert_eq!(world.run(&[0, YEARS, -YEARS, 0, YEARS]).await, 0);
        use_all(&neighbour, &origin).await;
        assert_eq!(world.rotating.counts().refreshes, 0);
        neighbour.shutdown().await;
    })
    .await;
}
