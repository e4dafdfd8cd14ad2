//! Two pools over one file, each with a runtime of its own, that are changed, refreshed, flushed and dropped at random. In a
//! process of its own: it sets a panic hook.
//!
//! Time is real, as the file's is; what is asserted are counts. `OAUTH_MARATHON_STRESS_SECONDS` says for how long it runs, 5 s
//! by default, and `OAUTH_MARATHON_SEED` repeats the choices of an earlier run, though not their order in time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::events::Event;
use oauth_marathon::store::{FileStore, Store};
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};
use oauth_marathon::verdict::Scope;
use oauth_marathon::{Credential, Marathon, MarathonLayer, Material, Pool, TokenSet};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceExt};

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The longest time that one step may take before it counts as stuck: longer than any limit of the pool or its store.
const STUCK: Duration = Duration::from_secs(90);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Numbers that look random.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn id(&mut self) -> &'static str {
        IDS[self.below(IDS.len() as u64) as usize]
    }
}

/// An OAuth server that gives out each refresh token once. Each login is a family, whose tokens are numbered.
#[derive(Default)]
struct Server {
    families: Mutex<Vec<u64>>,
    exchanges: AtomicUsize,
    doubles: AtomicUsize,
    dice: Mutex<Option<Dice>>,
}

impl Server {
    fn below(&self, limit: u64) -> u64 {
        self.dice.lock().expect("sound").as_mut().expect("set").below(limit)
    }

    fn log_in(&self) -> TokenSet {
        let mut families = self.families.lock().expect("sound");
        families.push(1);
        let family = families.len() as u64 - 1;
        drop(families);
        self.tokens(family, 1, 20)
    }

    fn tokens(&self, family: u64, number: u64, shortest: u64) -> TokenSet {
        let life = Duration::from_millis(shortest + self.below(400));
        let tokens = TokenSet::new(format!("access.{family}.{number}"));
        tokens.with_refresh(format!("refresh.{family}.{number}")).expires_at(SystemClock::default().now() + life)
    }

    /// What is sent here is spent, unless it was refused before.
    fn rotate(&self, token: &str) -> Result<(u64, u64), RefreshError> {
        let (family, number) = parse(token);
        let mut families = self.families.lock().expect("sound");
        let current = &mut families[family as usize];
        self.exchanges.fetch_add(1, Relaxed);
        if *current != number {
            self.doubles.fetch_add(1, Relaxed);
            println!("family {family}: {number} was sent again, at {current}");
            return Err(RefreshError::login_needed("scripted: the refresh token was used before"));
        }
        *current += 1;
        Ok((family, *current))
    }
}

/// `kind.family.number`.
fn parse(token: &str) -> (u64, u64) {
    let mut parts = token.split('.').skip(1).map(|part| part.parse().expect("a number"));
    (parts.next().expect("a family"), parts.next().expect("its number"))
}

#[derive(Clone)]
struct Source(Arc<Server>);

impl TokenSource for Source {
    async fn refresh(&self, request: RefreshRequest) -> Result<TokenSet, RefreshError> {
        let server = &self.0;
        sleep(Duration::from_millis(server.below(10))).await;
        match server.below(50) {
            0 => panic!("scripted: a source that panics"),
            1 => return Err(RefreshError::transient("scripted: busy")),
            _ => {}
        }
        let token = request.tokens().refresh().expect("it has one").expose().to_owned();
        let (family, number) = server.rotate(&token)?;
        // The answer is on its way.
        sleep(Duration::from_millis(server.below(20))).await;
        // A shorter life than a second would count as none.
        Ok(server.tokens(family, number, 1000))
    }
}

/// A provider that refuses some requests, with whatever credential.
#[derive(Clone)]
struct Provider(Arc<Server>);

impl Service<Request<Full<Bytes>>> for Provider {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let status = match self.0.below(100) {
            0 | 1 => 401,
            2 => 429,
            3 => 403,
            4 => 500,
            _ => 200,
        };
        ready(Ok(Response::builder().status(status).body(Full::default()).expect("well-formed")))
    }
}

/// One of the two: a pool that is opened anew now and then.
struct Side {
    server: Arc<Server>,
    path: PathBuf,
    pool: Mutex<(Pool, Marathon<Provider>)>,
    counts: Mutex<HashMap<&'static str, u64>>,
    stuck: AtomicUsize,
}

impl Side {
    async fn open(server: Arc<Server>, path: &Path) -> (Pool, Marathon<Provider>) {
        let store = FileStore::open(path).await.expect("a store");
        let builder = Pool::builder("test").origin("https://api.example.com").store(store);
        let panics = |_: &Event| panic!("scripted: a notifier that panics");
        let pool = builder.token_source(Source(server.clone())).notifier(panics).open().await.expect("a pool");
        let client = MarathonLayer::new(pool.clone()).layer(Provider(server));
        (pool, client)
    }

    fn pool(&self) -> (Pool, Marathon<Provider>) {
        self.pool.lock().expect("sound").clone()
    }

    /// Does one thing after another until the time is over.
    async fn run(self: Arc<Self>, mut dice: Dice, until: Instant) {
        while Instant::now() < until {
            let what = self.step(&mut dice);
            let Ok(name) = timeout(STUCK, what).await else {
                self.stuck.fetch_add(1, Relaxed);
                continue;
            };
            *self.counts.lock().expect("sound").entry(name).or_default() += 1;
            sleep(Duration::from_millis(dice.below(5))).await;
        }
    }

    async fn step(&self, dice: &mut Dice) -> &'static str {
        let (pool, client) = self.pool();
        let id = dice.id();
        let login = || Credential::new(id, self.server.log_in());
        match dice.below(100) {
            0..5 => {
                let _ = pool.add(login());
                "add"
            }
            5..8 => {
                let _ = pool.update(id, self.server.log_in());
                "update"
            }
            8..10 => {
                pool.remove(id);
                "remove"
            }
            10..12 => {
                // At once again, before the store knows.
                pool.remove(id);
                let _ = pool.add(login());
                "remove and add"
            }
            12 => {
                let all = IDS[dice.below(3) as usize..].iter();
                pool.replace(all.map(|id| Credential::new(*id, self.server.log_in())).collect()).expect("well-formed");
                "replace"
            }
            13..30 => {
                pool.clear(id, Scope::Credential);
                "clear"
            }
            30..33 => {
                if let Some(known) = pool.snapshot().credential(id) {
                    pool.invalidate(id, known.generation);
                }
                "invalidate"
            }
            33..36 => {
                pool.flush().await.expect("the store works");
                "flush"
            }
            36 => {
                let opened = Self::open(self.server.clone(), &self.path).await;
                let (before, _) = std::mem::replace(&mut *self.pool.lock().expect("sound"), opened);
                if dice.below(2) == 0 {
                    before.shutdown().await;
                }
                "drop"
            }
            37..45 => {
                // One that goes away.
                let request = client.oneshot(request());
                let _ = timeout(Duration::from_millis(dice.below(10)), request).await;
                "request given up"
            }
            _ => {
                let _ = client.oneshot(request()).await;
                "request"
            }
        }
    }
}

fn request() -> Request<Full<Bytes>> {
    Request::get("https://api.example.com/").body(Full::default()).expect("well-formed")
}

/// A panic that the script asks for is not shown.
fn silence_the_script() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_scripted = panic.payload().downcast_ref::<&str>().is_some_and(|text| text.starts_with("scripted"));
        if !is_scripted {
            shown(panic);
        }
    }));
}

#[test]
fn no_refresh_token_is_spent_twice_or_lost_whatever_happens_at_once() {
    silence_the_script();
    let seed = setting("OAUTH_MARATHON_SEED", RandomState::new().hash_one(0)).max(1);
    let time = Duration::from_secs(setting("OAUTH_MARATHON_STRESS_SECONDS", 5));
    println!("seed {seed}, {} s", time.as_secs());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own").join("credentials.json");
    let server = Arc::new(Server { dice: Mutex::new(Some(Dice(seed))), ..Server::default() });
    let runtimes = [0, 1].map(|_| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    });
    let sides: Vec<_> = runtimes
        .iter()
        .map(|runtime| {
            let pool = runtime.block_on(Side::open(server.clone(), &path));
            Arc::new(Side {
                server: server.clone(),
                path: path.clone(),
                pool: pool.into(),
                counts: Mutex::default(),
                stuck: 0.into(),
            })
        })
        .collect();
    let mut tasks = Vec::new();
    for (at, (runtime, side)) in runtimes.iter().zip(&sides).enumerate() {
        for task in 0..4 {
            let dice = Dice(seed.wrapping_mul(8 * at as u64 + 2 * task + 3).max(1));
            let side = side.clone();
            tasks.push((runtime, runtime.spawn(async move { side.run(dice, Instant::now() + time).await })));
        }
    }
    for (runtime, task) in tasks {
        runtime.block_on(task).expect("no panic");
    }
    let mut stuck = 0;
    for (runtime, side) in runtimes.iter().zip(&sides) {
        let ended = runtime.block_on(async { timeout(STUCK, side.pool().0.shutdown()).await });
        stuck += side.stuck.load(Relaxed) + usize::from(ended.is_err());
        let mut counts: Vec<_> = side.counts.lock().expect("sound").iter().map(|(what, n)| (*what, *n)).collect();
        counts.sort_unstable();
        println!("{counts:?}");
        for credential in side.pool().0.snapshot().credentials {
            assert!(credential.in_flight == 0 && !credential.refreshing, "{credential:?}");
        }
    }
    balance(&server, &path, &runtimes[0]);
    let (exchanges, doubles) = (server.exchanges.load(Relaxed), server.doubles.load(Relaxed));
    println!("{exchanges} exchanges, {doubles} doubles, {stuck} stuck");
    assert_eq!((doubles, stuck), (0, 0));
    assert!(exchanges > 0);
}

/// What is stored of each login is its latest token, and each exchange has brought one.
fn balance(server: &Server, path: &Path, runtime: &tokio::runtime::Runtime) {
    let records = runtime.block_on(async {
        FileStore::open(path).await.expect("a store").load_all("test").await.expect("it can be read")
    });
    let families = server.families.lock().expect("sound");
    for entry in &records {
        let Material::OAuth(tokens) = entry.record.credential.material() else { panic!("a key") };
        let (family, number) = parse(tokens.refresh().expect("it has one").expose());
        let id = entry.record.credential.id();
        assert_eq!(number, families[family as usize], "{id}: the latest token of family {family} is lost");
    }
    let granted: u64 = families.iter().map(|current| current - 1).sum();
    let exchanges = server.exchanges.load(Relaxed) - server.doubles.load(Relaxed);
    println!("{} logins, {} of them stored", families.len(), records.len());
    assert_eq!(granted, exchanges as u64);
}
