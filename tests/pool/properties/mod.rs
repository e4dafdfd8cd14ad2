//! Random requests, answers, changes and pauses: the pool does what a small model says.

mod cases;
mod model;
mod replay;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::{Answer, Classifier, StandardClassifier, classify_fn};
use oauth_marathon::verdict::{Scope, Verdict};
use oauth_marathon::{Credential, MarathonLayer, Material, Pool, RequestContext, Secret, TokenSet};
use oauth_marathon_test::{Exchange, Grant, Recorded, Reply, ScriptedProvider, ScriptedTokens};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use self::cases::{Case, Kind, Step, case};
use self::model::{Model, Outcome, RefreshOutcome, Seen, What};
use self::replay::replay;

/// What the two servers are going to answer, and what they have been asked.
#[derive(Debug, Default)]
struct Script {
    outcomes: VecDeque<Outcome>,
    refreshes: VecDeque<RefreshOutcome>,
    seen: Vec<Seen>,
    /// Counts the new tokens, as no two are the same.
    granted: usize,
}

type Shared = Arc<Mutex<Script>>;

fn note(script: &mut Script, id: &str, what: What) {
    script.seen.push(Seen { at: Instant::now(), id: id.to_owned(), what });
}

fn answer(script: &Shared, request: &Recorded) -> Reply {
    let mut script = script.lock().unwrap();
    let outcome = script.outcomes.pop_front().unwrap_or(Outcome::Status(200));
    let (id, _) = request.token().unwrap().split_once('/').unwrap();
    note(&mut script, id, What::Sent(outcome));
    let limited = |cooldown: Option<u64>| match cooldown {
        Some(seconds) => Reply::status(429).body("{}").header("retry-after", seconds.to_string()),
        None => Reply::status(429).body("{}"),
    };
    match outcome {
        Outcome::Status(status) => Reply::status(status).body("{}"),
        Outcome::Limited(cooldown) => limited(cooldown),
        Outcome::PartLimited(cooldown) => limited(cooldown).header("x-scope", "model"),
        Outcome::Broken => Reply::connection_error(),
    }
}

fn grant(script: &Shared, exchange: &Exchange) -> Grant {
    let mut script = script.lock().unwrap();
    let outcome = script.refreshes.pop_front().unwrap_or(RefreshOutcome::Refreshed);
    let id = exchange.credential.as_str();
    note(&mut script, id, What::Refreshed(outcome));
    script.granted += 1;
    match outcome {
        RefreshOutcome::Refreshed => {
            Grant::tokens(TokenSet::new(format!("{id}/{}", script.granted)).with_refresh("refresh"))
        }
        RefreshOutcome::NotNow => Grant::busy(),
        RefreshOutcome::Refused => Grant::refused(),
    }
}

/// What the answers to limits of one language model mean.
fn of_one_model(answer: &Answer<'_>) -> Option<Verdict> {
    answer.headers().get("x-scope")?;
    StandardClassifier::new().answer(answer).map(|verdict| verdict.with_scope(Scope::Model))
}

fn material(id: &str, kind: Kind, version: usize) -> Material {
    let token = format!("{id}/v{version}");
    match kind {
        Kind::Key => Secret::new(token).into(),
        Kind::Fixed => TokenSet::new(token).into(),
        Kind::Refreshable => TokenSet::new(token).with_refresh("refresh").into(),
    }
}

struct World {
    pool: Pool,
    model: Model,
    kinds: BTreeMap<String, Kind>,
    script: Shared,
    settings: Settings,
    /// Counts what was made, so that nothing is made twice.
    made: usize,
}

impl World {
    fn new(case: &Case) -> Self {
        let script = Script {
            outcomes: case.outcomes.clone().into(),
            refreshes: case.refreshes.clone().into(),
            ..Script::default()
        };
        let script = Arc::new(Mutex::new(script));
        let asked = script.clone();
        let tokens = ScriptedTokens::new().answering(move |exchange| Some(grant(&asked, exchange)));
        let pool = Pool::builder("test")
            .origin("https://api.example.com")
            .token_source(tokens)
            .settings(case.settings.clone())
            .build()
            .unwrap();
        let settings = case.settings.clone();
        let mut world =
            Self { pool, model: Model::new(settings.clone()), kinds: BTreeMap::new(), script, settings, made: 0 };
        for kind in &case.kinds {
            world.add(*kind);
        }
        world
    }

    fn add(&mut self, kind: Kind) {
        self.made += 1;
        let id = format!("account-{}", self.made);
        self.pool.add(Credential::new(&*id, material(&id, kind, 0))).unwrap();
        self.model.add(&id, matches!(kind, Kind::Refreshable));
        self.kinds.insert(id, kind);
    }

    fn name(&self, which: usize) -> Option<String> {
        self.kinds.keys().nth(which % self.kinds.len().max(1)).cloned()
    }

    fn change(&mut self, step: &Step) {
        let now = Instant::now();
        self.model.recover(now);
        match step {
            Step::Add(kind) => return self.add(*kind),
            Step::Replace(turn) => return self.replace(*turn),
            _ => {}
        }
        let (Step::Remove(which)
        | Step::Update(which)
        | Step::Clear(which)
        | Step::ClearModels(which)
        | Step::Invalidate(which)) = step
        else {
            return;
        };
        let Some(id) = self.name(*which) else { return };
        match step {
            Step::Remove(_) => {
                assert!(self.pool.remove(&id));
                self.model.remove(&id);
                self.kinds.remove(&id);
            }
            Step::Update(_) => {
                self.made += 1;
                self.pool.update(&id, material(&id, self.kinds[&id], self.made)).unwrap();
                self.model.new_secret(&id);
            }
            Step::Clear(_) => {
                assert!(self.pool.clear(&id, Scope::Credential));
                self.model.clear(&id);
            }
            Step::ClearModels(_) => {
                assert!(self.pool.clear(&id, Scope::Model));
                self.model.clear_parts(&id);
            }
            _ => {
                let generation = self.pool.snapshot().credential(&id).unwrap().generation;
                let marked = self.pool.invalidate(&id, generation);
                assert_eq!(marked, self.model.invalidate(&id, now));
            }
        }
    }

    /// Every credential gets a new secret, and the order is a new one.
    fn replace(&mut self, turn: usize) {
        let mut ids: Vec<_> = self.kinds.keys().cloned().collect();
        let turn = turn % ids.len().max(1);
        ids.rotate_left(turn);
        self.made += 1;
        let credentials = ids.iter().map(|id| Credential::new(&**id, material(id, self.kinds[id], self.made)));
        self.pool.replace(credentials.collect()).unwrap();
        for id in ids {
            self.model.new_secret(&id);
            if self.model.is_ready(&id) {
                self.model.move_to_back(&id);
            }
        }
    }

    async fn request(&mut self, asked: usize) -> Result<(), TestCaseError> {
        let script = self.script.clone();
        script.lock().unwrap().seen.clear();
        let provider = ScriptedProvider::new().answering(move |request| Some(answer(&script, request)));
        let client = ServiceBuilder::new()
            .layer(MarathonLayer::new(self.pool.clone()).classifier(classify_fn(of_one_model)))
            .service(provider);
        let (name, body) = [("", "hello"), ("x", r#"{"model":"x"}"#), ("y", r#"{"a":[],"model":"y"}"#)][asked % 3];
        name.clone_into(&mut self.model.asked);
        let request = Request::post("https://api.example.com/v1").body(Full::<Bytes>::from(body)).unwrap();
        let (context, begun) = (RequestContext::new(), Instant::now());
        // Time is paused: it passes only when nothing else can happen.
        let day = Duration::from_secs(24 * 3600);
        let result = tokio::time::timeout(day, context.clone().scope(client.oneshot(request))).await;
        let seen = std::mem::take(&mut self.script.lock().unwrap().seen);
        let ended = Instant::now();
        prop_assert!(result.is_ok(), "the request hangs");
        self.bounded(&context)?;
        let sent =
            seen.iter().filter_map(|seen| if let What::Sent(outcome) = seen.what { Some(outcome) } else { None });
        let last = sent.clone().next_back();
        let answered = sent.clone().any(|outcome| outcome != Outcome::Broken);
        let status = result.unwrap().map(|answer| answer.status().as_u16());
        prop_assert_eq!(matches!(status, Ok(200)), last == Some(Outcome::Status(200)));
        prop_assert!(status.is_ok() || !answered, "an answer was lost: {:?}", status);
        let replayed = replay(&mut self.model, &seen, begun, ended);
        prop_assert!(replayed.is_ok(), "{}\n{seen:#?}\n{:#?}", replayed.unwrap_err(), self.model);
        Ok(())
    }

    /// In one round each credential is used once, and again for an old connection, its network retries, a refresh and a server
    /// error.
    fn bounded(&self, context: &RequestContext) -> Result<(), TestCaseError> {
        let mut used = BTreeMap::new();
        for attempt in context.attempts() {
            if let Some(credential) = attempt.credential {
                *used.entry((attempt.round, credential)).or_insert(0_u32) += 1;
            }
        }
        let most = 1 + 1 + self.settings.network_retry_attempts + 1 + 1;
        prop_assert!(used.values().all(|times| *times <= most), "{:?}", context.attempts());
        Ok(())
    }

    /// The pool is as the model says.
    fn agrees(&mut self) -> Result<(), TestCaseError> {
        let now = Instant::now();
        self.model.recover(now);
        let snapshot = self.pool.snapshot();
        let mut order: Vec<_> = snapshot.credentials.iter().map(|credential| credential.id.to_string()).collect();
        let out = order.len() - self.model.accounts.values().filter(|account| account.out).count();
        order[out..].sort();
        prop_assert_eq!(order, self.model.order());
        for credential in &snapshot.credentials {
            let account = self.model.account(credential.id.as_str());
            let cooldown = match credential.standing {
                Standing::Cooling { cooldown, .. } => Some(cooldown),
                _ => None,
            };
            let is_out = matches!(credential.standing, Standing::Out { .. });
            let expected = account.until().filter(|_| !account.out).map(|until| until - now);
            prop_assert_eq!((cooldown, is_out), (expected, account.out), "{:?}", credential);
            let mut parts: Vec<_> = self.model.parts.iter().filter(|part| part.id == credential.id.as_str()).collect();
            parts.sort_by(|one, other| one.asked.cmp(&other.asked));
            let expected: Vec<_> = parts.iter().map(|part| (part.asked.clone(), part.cooldown.until - now)).collect();
            let found: Vec<_> = credential.models.iter().map(|model| (model.model.clone(), model.cooldown)).collect();
            prop_assert_eq!(found, expected, "{:?}", credential);
            let counts = (credential.successes, credential.failures, credential.in_flight);
            prop_assert_eq!(counts, (account.successes, account.failures, 0), "{:?}", credential);
        }
        Ok(())
    }
}

/// Makes the pool, and checks it after each step.
fn run(case: &Case) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    fastrand::seed(7);
    runtime.block_on(async {
        let mut world = World::new(case);
        for step in &case.steps {
            match step {
                Step::Request(asked) => world.request(*asked).await?,
                Step::Pass(time) => tokio::time::advance(*time).await,
                change => world.change(change),
            }
            world.agrees()?;
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_pool_does_what_a_small_model_says(case in case()) {
        run(&case)?;
    }
}

fn fixed(kinds: &[Kind], outcomes: &[Outcome], steps: &[Step]) -> Case {
    let settings = Settings::default();
    Case { kinds: kinds.to_vec(), settings, outcomes: outcomes.to_vec(), refreshes: Vec::new(), steps: steps.to_vec() }
}

#[test]
fn a_token_marked_as_expired_is_refreshed_before_its_next_use() {
    run(&fixed(&[Kind::Refreshable, Kind::Key], &[], &[Step::Invalidate(0), Step::Request(0)])).unwrap();
}

#[test]
fn a_request_that_waits_goes_on_at_once_with_one_that_has_recovered_during_its_round() {
    let limited = |seconds| Outcome::Limited(seconds);
    let (broken, overloaded) = (Outcome::Broken, Outcome::Status(500));
    let outcomes = [broken, limited(Some(0)), overloaded, limited(None), limited(None), broken, broken, limited(None)];
    let mut case = fixed(&[Kind::Key; 4], &outcomes, &[Step::Request(0)]);
    case.settings.when_all_cooling = WhenAllCooling::Wait;
    run(&case).unwrap();
}

#[test]
fn one_that_recovers_comes_before_one_that_a_person_brings_back_later() {
    let outcomes = [Outcome::Limited(Some(1)), Outcome::Limited(Some(60))];
    let steps = [Step::Request(0), Step::Pass(Duration::from_secs(2)), Step::Clear(1)];
    run(&fixed(&[Kind::Key, Kind::Key, Kind::Key], &outcomes, &steps)).unwrap();
}

#[test]
fn a_server_error_between_broken_connections_grants_no_further_retries() {
    let outcomes = [Outcome::Broken, Outcome::Status(500), Outcome::Broken];
    run(&fixed(&[Kind::Key, Kind::Key], &outcomes, &[Step::Request(0)])).unwrap();
}
