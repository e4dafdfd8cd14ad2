//! A user's code that fails costs only its own result: every run here is compared with one without it.

use std::io::ErrorKind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, mpsc};

use oauth_marathon::events::Event;
use oauth_marathon::pool::{Candidate, Choice, PoolBuilder, Standing, Strategy};
use oauth_marathon::verdict::{Answer, Classifier};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{ErrorKind as Failure, MarathonLayer, Pool};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, pass, pool, post, seconds};

const REQUESTS: usize = 10_000;

/// What happens to account `id`, in turns of its own length, so that all meet everything in every mixture.
fn mixture(id: usize) -> impl Iterator<Item = Reply> {
    let turn = 7 + id;
    let reply = move |at: usize| match at % (5 * turn) {
        0 => Reply::limited(20),
        3 => Reply::error(ErrorKind::ConnectionReset),
        n if n == turn => Reply::status(401),
        n if n == 2 * turn => Reply::status(403),
        n if n == 3 * turn => Reply::status(402),
        n if n == 4 * turn => Reply::status(400),
        n if n == 4 * turn + 1 => Reply::status(503).header("retry-after", "1"),
        _ => Reply::ok(),
    };
    (1..=2 * REQUESTS).map(reply)
}

fn mixed() -> ScriptedProvider {
    ["a", "b", "c"].iter().enumerate().fold(ScriptedProvider::new(), |provider, (at, id)| provider.on(id, mixture(at)))
}

fn three() -> PoolBuilder {
    pool(&["a", "b", "c"])
}

/// Everything that can be noticed from outside: which tokens were sent, what came back, and how the accounts are in the
/// end.
#[derive(PartialEq)]
struct Story {
    sent: Vec<String>,
    answers: Vec<Option<u16>>,
    accounts: Vec<(String, Standing, u64, u64, u32)>,
}

async fn story(pool: PoolBuilder, layer: impl FnOnce(MarathonLayer) -> MarathonLayer) -> Story {
    played(&Stage::with(pool, mixed(), layer)).await
}

async fn played(stage: &Stage) -> Story {
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        answers.push(stage.try_send(post()).await.ok().map(|answer| answer.status));
        pass(60).await;
    }
    let account = |it: &oauth_marathon::pool::CredentialSnapshot| {
        (it.id.to_string(), it.standing, it.successes, it.failures, it.in_flight)
    };
    let accounts = stage.pool.snapshot().credentials.iter().map(account).collect();
    Story { sent: stage.tokens(), answers, accounts }
}

async fn undisturbed() -> Story {
    let story = story(three(), |layer| layer).await;
    for answer in [Some(200), Some(400)] {
        assert!(story.answers.contains(&answer), "{answer:?}");
    }
    assert!(story.accounts.iter().all(|account| account.3 > 200), "each has failed in its turn: {:?}", story.accounts);
    story
}

struct Panics;

impl Classifier for Panics {
    fn answer(&self, _: &Answer<'_>) -> Option<Verdict> {
        panic!("a classifier that panics")
    }

    fn error(&self, _: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
        panic!("a classifier that panics")
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_that_panics_is_passed_over() {
    assert!(story(three(), |layer| layer.classifier(Panics)).await == undisturbed().await);
}

/// A strategy that fails in every way, one after the other.
#[derive(Default)]
struct Nonsense {
    asked: AtomicUsize,
    pool: Arc<OnceLock<Pool>>,
}

impl Strategy for Nonsense {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        if let Some(pool) = self.pool.get() {
            // A lock that is held now would never be released.
            assert_eq!(pool.snapshot().credentials.len(), 3);
            assert!(!pool.clear("nobody", Scope::Credential));
            drop(pool.try_lease());
        }
        match self.asked.fetch_add(1, Relaxed) % 4 {
            0 => panic!("a strategy that panics"),
            1 => None,
            2 => Some(ready.len()),
            _ => Some(usize::MAX),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_panics_or_answers_nonsense_leaves_the_order_as_it_is() {
    assert!(story(three().strategy(Nonsense::default()), |layer| layer).await == undisturbed().await);
}

#[tokio::test(start_paused = true)]
async fn a_strategy_may_ask_the_pool_itself() {
    let strategy = Nonsense::default();
    let own = strategy.pool.clone();
    let stage = Stage::new(three().strategy(strategy), mixed());
    own.set(stage.pool.clone()).unwrap();
    assert!(played(&stage).await == undisturbed().await);
}

/// A strategy that removes the credentials that it chooses from.
struct Saboteur(Arc<OnceLock<Pool>>);

impl Strategy for Saboteur {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        self.0.get().unwrap().remove(&ready[0].id);
        Some(0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_that_is_gone_by_the_time_it_is_made_falls_to_the_next_account() {
    let own = Arc::new(OnceLock::new());
    let stage = Stage::new(three().strategy(Saboteur(own.clone())), ScriptedProvider::new());
    own.set(stage.pool.clone()).unwrap();
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["b", "c"]);
    assert_eq!(stage.refused(post()).await.kind(), Failure::NoCredential);
}

#[tokio::test(start_paused = true)]
async fn notifiers_that_panic_or_never_return_are_nobodys_burden() {
    let (open, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let disturbed = three()
        .notifier(move |_: &Event| gate.recv().unwrap_or_default())
        .notifier(|_: &Event| panic!("a notifier that panics"))
        .notifier(move |event: &Event| tell.send(event.clone()).expect("it is listened to"));
    let stage = Stage::new(disturbed, mixed());
    let mut events = stage.pool.events();
    assert!(played(&stage).await == undisturbed().await);
    assert!(stage.pool.notifiers().dropped() > 0, "the one that never returns has lost some");

    // The sound notifier gets all events. Its thread ends with the pool.
    let last = std::iter::from_fn(|| events.try_recv()).last();
    drop(stage);
    assert_eq!(told.into_iter().last(), last);
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn a_token_source_that_panics_is_a_refresh_that_failed_for_now() {
    let tokens = ScriptedTokens::new().on("a", [Grant::panic()]);
    let provider = ScriptedProvider::new().always("a", Reply::status(401));
    let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
    let requests: Vec<_> = (0..100).map(|_| stage.spawn()).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200, "nobody waits for ever");
    }
    assert_eq!(tokens.asked(), ["a"]);
    assert_eq!(stage.cooldown("a"), Some((Kind::Unauthorized, seconds(30))));

    pass(30).await;
    stage.provider.set("b", Reply::status(429));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens().last().unwrap(), "a+", "its token set was kept");
}
