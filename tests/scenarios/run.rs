//! Runs a scenario through an adapter, and reports differences from what it expects.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Settings;
use oauth_marathon::events::EventStream;
use oauth_marathon::pool::{CredentialSnapshot, Standing};
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::verdict::classify_fn;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, Secret, TokenSet};
use tokio::time::Instant;

use crate::adapters::{Adapter, Caller, Came, Got};
use crate::provider::{Provider, Seen};
use crate::scenario::{Account, Base, Call, Gets, Outcome, Scenario, Stands, Step};

/// The time limit of a scenario; only one that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the scenario through this adapter. Each line names the scenario, the adapter and a difference.
pub(crate) async fn run(scenario: &Scenario, adapter: Adapter) -> Vec<String> {
    let told = scenario.told_for(adapter);
    let differences = match tokio::time::timeout(PATIENCE, play(&told, adapter)).await {
        Ok(Ok(differences)) => differences,
        Ok(Err(error)) => vec![format!("the scenario could not be played: {error:?}")],
        Err(_) => vec!["it hangs".to_owned()],
    };
    differences.into_iter().map(|difference| format!("{:?} over {adapter:?}: {difference}", scenario.name)).collect()
}

async fn play(scenario: &Scenario, adapter: Adapter) -> Result<Vec<String>, BoxError> {
    let provider = Provider::start(scenario.provider.clone(), scenario.endpoint.clone().unwrap_or_default()).await?;
    let origin = if scenario.is_closed { provider.closed_origin() } else { provider.origin() };
    let pool = pool(scenario, &provider, &origin)?;
    let mut layer = MarathonLayer::new(pool.clone());
    if let Some(classifier) = scenario.classifier {
        layer = layer.classifier(classify_fn(classifier));
    }
    let caller = Caller::new(adapter, &pool, layer).await?;
    let events = pool.events();
    let mut report = Report { start: Instant::now(), differences: Vec::new() };
    for (number, step) in (1..).zip(&scenario.steps) {
        match step {
            Step::Ask(call, outcome) => report.outcome(number, outcome, caller.send(call, &origin).await?),
            Step::Abandon(call) => report.abandoned(number, abandon(&caller, call, &origin, &provider, &pool).await),
            Step::Recovers(id) => until(|| of(&pool, id).is_some_and(|it| it.standing == Standing::Ready)).await,
            Step::Do(change) => change(&pool),
        }
    }
    report.end(scenario, &provider, &pool, events).await;
    drop(caller);
    Ok(report.differences)
}

fn pool(scenario: &Scenario, provider: &Provider, origin: &str) -> Result<Pool, BoxError> {
    let mut settings = Settings::default();
    (scenario.settings)(&mut settings);
    let credentials = scenario.accounts.iter().map(|account| credential(account, provider));
    let mut builder = Pool::builder("openai").origin(origin).settings(settings).credentials(credentials);
    if scenario.endpoint.is_some() {
        let url = format!("{}/token", provider.origin());
        builder = builder.token_source(OAuth2::new(url, "my-client", HttpClient::<Full<Bytes>>::new()?));
    }
    Ok(builder.build()?)
}

fn credential(account: &Account, provider: &Provider) -> Credential {
    let mut credential = if account.is_key {
        Credential::new(account.id, Secret::new(account.id))
    } else {
        let mut tokens = TokenSet::new(account.id);
        if account.refresh {
            tokens = tokens.with_refresh(format!("refresh-{}", account.id));
        }
        if account.expired {
            tokens = tokens.expires_at(std::time::UNIX_EPOCH);
        }
        Credential::new(account.id, tokens)
    };
    if account.header != "authorization" {
        credential = credential.header(account.header);
    }
    if let Some(scheme) = account.scheme {
        credential = credential.scheme(scheme);
    }
    if let Some((name, value)) = account.extra {
        credential = credential.extra_header(name, value);
    }
    match account.base {
        Base::Shared => credential,
        Base::Path(path) => credential.base_url(format!("{}{path}", provider.origin())),
        Base::Closed => credential.base_url(provider.closed_origin()),
    }
}

/// Drops the call once its request has arrived, and waits until the account is no longer in flight. Reports an answer
/// that came instead.
async fn abandon(caller: &Caller, call: &Call, origin: &str, provider: &Provider, pool: &Pool) -> Option<String> {
    let before = provider.seen().len();
    let answered = tokio::select! {
        () = provider.more_than(before) => None,
        got = caller.send(call, origin) => Some(format!("{got:?}")),
    };
    until(|| pool.snapshot().credentials.iter().all(|it| it.in_flight == 0)).await;
    answered
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn of(pool: &Pool, id: &str) -> Option<CredentialSnapshot> {
    pool.snapshot().credential(id).cloned()
}

struct Report {
    start: Instant,
    differences: Vec<String>,
}

impl Report {
    fn check<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(&mut self, what: &str, expected: T, got: U) {
        if expected != got {
            let (expected, got) = (short(format!("{expected:?}")), short(format!("{got:?}")));
            self.differences.push(format!("{what}: expected {expected}, got {got}"));
        }
    }

    /// Whether a time is the stated one, less what has passed since.
    fn is_about(&self, stated: u64, got: Duration) -> bool {
        let stated = Duration::from_secs(stated);
        got <= stated && got + self.start.elapsed() >= stated
    }

    fn outcome(&mut self, number: usize, expected: &Outcome, got: Got) {
        let what = |part: &str| format!("step {number}, {part}");
        let log: Vec<_> = expected.log.iter().map(|(id, kind)| format!("{id} {kind:?}")).collect();
        self.check(&what("attempts"), log, got.log);
        let headers = match (&expected.gets, got.came) {
            (Gets::Answer(status, body), Came::Answer(came, headers, Some(text))) => {
                self.check(&what("status"), *status, came.as_u16());
                self.check(&what("body"), &**body, String::from_utf8_lossy(&text).as_ref());
                headers
            }
            (Gets::CutOff(status), Came::Answer(came, headers, None)) => {
                self.check(&what("status"), *status, came.as_u16());
                headers
            }
            (Gets::Fails(kind), Came::Ours(came)) => return self.check(&what("error"), format!("{kind:?}"), came),
            (Gets::Breaks, Came::Foreign(_)) => return,
            (expected, came) => {
                let (expected, came) = (short(format!("{expected:?}")), short(format!("{came:?}")));
                let difference = format!("{}: expected {expected}, got {came}", what("answer"));
                return self.differences.push(difference);
            }
        };
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for (name, expected) in &expected.headers {
            self.check(&what(name), *expected, value(*name));
        }
        if let Some(stated) = expected.retry_after {
            let came = value("retry-after");
            // Whole seconds, rounded up.
            let is_right = came.parse().is_ok_and(|seconds| self.is_about(stated, Duration::from_secs(seconds)));
            self.check(&format!("{}, {came:?} for {stated} at first", what("retry-after")), true, is_right);
        }
    }

    fn abandoned(&mut self, number: usize, answered: Option<String>) {
        self.check(&format!("step {number}, abandoned"), None, answered);
    }

    async fn end(&mut self, scenario: &Scenario, provider: &Provider, pool: &Pool, mut events: EventStream) {
        let (end, seen) = (&scenario.end, provider.seen());
        self.check("tokens seen", end.seen, seen.iter().map(|seen| &*seen.token).collect::<Vec<_>>());
        for (place, name, expected) in end.carried {
            let carried = seen.get(*place).map_or("no request".to_owned(), |seen| carried(seen, name));
            self.check(&format!("{name} of request {place}"), *expected, carried);
        }
        self.check("token requests", end.token_requests, provider.token_requests());
        let snapshot = pool.snapshot();
        self.check("order", end.order, snapshot.credentials.iter().map(|it| it.id.as_str()).collect::<Vec<_>>());
        for credential in &snapshot.credentials {
            let id = credential.id.as_str();
            let expected = end.standing.iter().find(|(of, _)| *of == id).map(|(_, stands)| *stands);
            let is_so = match (expected, credential.standing) {
                (None, Standing::Ready) => true,
                (Some(Stands::Cools(kind, stated)), Standing::Cooling { cooldown, cause, .. }) => {
                    cause == kind && self.is_about(stated, cooldown)
                }
                (Some(Stands::Out(expected)), Standing::Out { reason, .. }) => reason == expected,
                _ => false,
            };
            if !is_so {
                let expected = expected.map_or("Ready".to_owned(), |expected| format!("{expected:?}"));
                self.differences.push(format!("standing of {id}: expected {expected}, got {:?}", credential.standing));
            }
            let failures = end.failures.iter().find(|(of, _)| *of == id).map_or(0, |(_, count)| *count);
            self.check(&format!("failures of {id}"), failures, credential.failures);
            self.check(&format!("attempts of {id} in flight"), 0, credential.in_flight);
        }
        let mut names: Vec<_> = Vec::new();
        // Some events come a moment later.
        while names.len() < end.events.len()
            && let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(2), events.recv()).await
        {
            names.push(event.name());
        }
        names.extend(std::iter::from_fn(|| events.try_recv()).map(|event| event.name()));
        self.check("events", end.events, names);
    }
}

/// The beginning of a text, for reports on large bodies.
fn short(text: String) -> String {
    match text.char_indices().nth(1_000) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

fn carried(seen: &Seen, name: &str) -> String {
    match name {
        ":method" => seen.method.clone(),
        ":path" => seen.path.clone(),
        ":body" => String::from_utf8_lossy(&seen.body).into_owned(),
        ":length" => seen.body.len().to_string(),
        name => seen
            .headers
            .get(name)
            .map_or("-".to_owned(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    }
}
