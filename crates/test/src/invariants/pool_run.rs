//! Runs random scripts through a whole stack.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Method, Request, Uri};
use http_body_util::Full;
use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::context::{Attempt, RequestContext};
use oauth_marathon::pool::{Pool, Standing};
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, token_source_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{Credential, CredentialId, Error, Marathon, MarathonLayer, Secret, TokenSet};
use tower_layer::Layer;
use tower_service::Service;

use super::attempts::check_attempts;
use super::parts::{Parts, Shared};
use super::violation::{Rule, Violation};
use crate::{Probe, ProbeLayer, Reply, ScriptedProvider};

const RUNS: usize = 6;
const REQUESTS: usize = 300;

/// How often others may fail before a ready credential must have been used, times the number of credentials.
const PATIENCE: usize = 8;

/// Sends some two thousand requests through whole stacks with your parts, over providers that limit, refuse, fail and
/// break off by a random script. It checks of each: no credential is spent twice, none that is ready starves, none that
/// is cooling is used, `maxAttempts` is kept, everything sent is reported, and no refresh token is spent twice although
/// two pools share the store.
///
/// It waits for cooldowns, so run it with paused time, in which waits take no time.
///
/// ```
/// use oauth_marathon::pool::{Candidate, Choice, Strategy};
/// use oauth_marathon_test::invariants::{Parts, check_pool_run};
///
/// struct LeastBusy;
///
/// impl Strategy for LeastBusy {
///     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
///         (0..ready.len()).min_by_key(|at| ready[*at].in_flight)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// check_pool_run(&Parts::new().strategy(LeastBusy), 1).await?;
/// # Ok::<_, oauth_marathon_test::invariants::Violation>(()) })?;
/// # Ok::<_, oauth_marathon::BoxError>(())
/// ```
///
/// # Errors
/// The first rule that is broken.
pub async fn check_pool_run(parts: &Parts, seed: u64) -> Result<(), Violation> {
    let mut rng = Rng::with_seed(seed);
    for run in 0..RUNS {
        let name = format!("oauth-marathon-check-{seed}-{run}");
        Run::new(parts, &name, &mut rng)
            .map_err(|error| Violation::new(Rule::Failed, error.to_string()))?
            .requests(&mut rng)
            .await
            .map_err(|violation| violation.with_seed(seed))?;
    }
    Ok(())
}

/// Two stacks over the same accounts, which stand for two processes.
struct Run {
    stacks: Vec<Stack>,
    server: Server,
}

struct Stack {
    pool: Pool,
    client: Marathon<Probe<ScriptedProvider>>,
    provider: ScriptedProvider,
    probe: ProbeLayer,
    /// How often other credentials have failed while this one was ready and not used.
    passed_over: HashMap<CredentialId, usize>,
}

/// The OAuth server, which notes refresh tokens that were spent twice. Every fifth exchange fails, and spends none.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Spent>>);

#[derive(Default)]
struct Spent {
    asked: u64,
    tokens: HashSet<String>,
    twice: Option<CredentialId>,
}

impl Server {
    fn exchange(&self, request: &RefreshRequest) -> Result<TokenSet, RefreshError> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.asked += 1;
        if spent.asked.is_multiple_of(5) {
            return Err(RefreshError::transient("the server is busy"));
        }
        let refresh = request.tokens().refresh().map(|refresh| refresh.expose().to_owned()).unwrap_or_default();
        if !spent.tokens.insert(refresh) {
            spent.twice = Some(request.credential().clone());
        }
        let (id, count) = (request.credential(), spent.tokens.len());
        Ok(TokenSet::new(format!("access-{id}-{count}")).with_refresh(format!("refresh-{id}-{count}")))
    }

    fn spent_twice(&self) -> Option<CredentialId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).twice.clone()
    }
}

impl Run {
    fn new(parts: &Parts, name: &str, rng: &mut Rng) -> Result<Self, Error> {
        let server = Server::default();
        let members = rng.usize(1..=6);
        let mut settings = parts.settings.clone();
        settings.when_all_cooling = WhenAllCooling::Error;
        settings.max_attempts = NonZeroU32::new(rng.u32(0..=4));
        settings.network_retry_attempts = rng.u32(0..=2);
        let stack = || {
            let oauth = server.clone();
            let mut builder = Pool::builder(name)
                .origin("https://api.example.com")
                .settings(settings.clone())
                .token_source(token_source_fn(move |request: RefreshRequest| {
                    let answer = oauth.exchange(&request);
                    async move { answer }
                }))
                .credentials((0..members).map(credential));
            builder = (parts.store)(builder);
            if let Some(strategy) = &parts.strategy {
                builder = builder.strategy(Shared(strategy.clone()));
            }
            let pool = builder.build()?;
            let mut layer = MarathonLayer::new(pool.clone());
            if let Some(classifier) = &parts.classifier {
                layer = layer.classifier(Shared(classifier.clone()));
            }
            let (probe, provider) = (ProbeLayer::new(), ScriptedProvider::new());
            let client = layer.layer(probe.layer(provider.clone()));
            Ok(Stack { pool, client, provider, probe, passed_over: HashMap::new() })
        };
        Ok(Self { stacks: vec![stack()?, stack()?], server })
    }

    async fn requests(mut self, rng: &mut Rng) -> Result<(), Violation> {
        for _ in 0..REQUESTS {
            let at = rng.usize(0..self.stacks.len());
            let Some(stack) = self.stacks.get_mut(at) else { break };
            stack.request(rng).await?;
            if let Some(id) = self.server.spent_twice() {
                let detail = format!("of {id}, by two pools that share a store");
                return Err(Violation::new(Rule::RefreshTokenSpentTwice, detail));
            }
            tokio::time::sleep(Duration::from_millis(rng.u64(0..40_000))).await;
        }
        Ok(())
    }
}

impl Stack {
    async fn request(&mut self, rng: &mut Rng) -> Result<(), Violation> {
        self.provider = (0..4).fold(self.provider.clone(), |provider, _| provider.then(reply(rng)));
        let before: HashMap<_, _> =
            self.pool.snapshot().credentials.into_iter().map(|member| (member.id, member.standing)).collect();
        let sent = self.probe.counts().calls;
        let attempts = self.send(&format!("conversation {}", rng.u8(..))).await;
        let sent = self.probe.counts().calls - sent;
        check_attempts(&attempts, self.pool.settings())?;
        let reported = attempts.iter().filter(|attempt| attempt.credential.is_some()).count();
        if sent != reported {
            let detail = format!("{sent} were sent and {reported} are reported");
            return Err(Violation::new(Rule::UnreportedSend, detail));
        }
        none_cooling_is_used(&before, &attempts)?;
        self.none_starves(&before, &attempts)
    }

    /// Sends a request, and returns its attempts. What the caller gets does not matter here: a provider that refuses is
    /// part of the script.
    async fn send(&mut self, group: &str) -> Vec<Attempt> {
        let context = RequestContext::new().with_group(group);
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("https://api.example.com/v1/chat");
        request.extensions_mut().insert(context.clone());
        if poll_fn(|cx| Service::<Request<Full<Bytes>>>::poll_ready(&mut self.client, cx)).await.is_ok() {
            let _ = self.client.call(request).await;
        }
        context.attempts()
    }

    fn none_starves(
        &mut self,
        before: &HashMap<CredentialId, Standing>,
        attempts: &[Attempt],
    ) -> Result<(), Violation> {
        let used: HashSet<_> = attempts.iter().filter_map(|attempt| attempt.credential.as_ref()).collect();
        let failures = attempts.iter().filter(|attempt| attempt.verdict.is_some_and(is_against_the_credential)).count();
        for (id, standing) in before {
            let count = self.passed_over.entry(id.clone()).or_default();
            *count = if used.contains(id) || *standing != Standing::Ready { 0 } else { *count + failures };
            if *count > PATIENCE * before.len() {
                let detail =
                    format!("of {}, {id} was ready and never used while others failed {count} times", before.len());
                return Err(Violation::new(Rule::Starvation, detail));
            }
        }
        Ok(())
    }
}

fn none_cooling_is_used(before: &HashMap<CredentialId, Standing>, attempts: &[Attempt]) -> Result<(), Violation> {
    // A cooldown can end while a request pauses before it is sent again; then nothing is known.
    let pauses = |kind| matches!(kind, Kind::Overloaded | Kind::ServerError | Kind::Network);
    if attempts.iter().any(|attempt| attempt.verdict.is_some_and(|verdict| pauses(verdict.kind()))) {
        return Ok(());
    }
    let cooled_down = |id: &&CredentialId| before.get(*id).is_some_and(|standing| *standing != Standing::Ready);
    match attempts.iter().filter_map(|attempt| attempt.credential.as_ref()).find(cooled_down) {
        Some(id) => Err(Violation::new(Rule::UsedWhileCooling, id.to_string())),
        None => Ok(()),
    }
}

/// Whether this verdict cools the credential, or moves it to the back of the order.
fn is_against_the_credential(verdict: Verdict) -> bool {
    verdict.scope() == Scope::Credential
        && matches!(verdict.kind(), Kind::Throttled | Kind::QuotaExhausted | Kind::Billing)
}

/// The credential of this number. Every second one has a token that can be refreshed; the others are keys.
fn credential(at: usize) -> Credential {
    let id = format!("credential-{at}");
    if at.is_multiple_of(2) {
        Credential::new(id.clone(), TokenSet::new(format!("access-{id}")).with_refresh(format!("refresh-{id}")))
    } else {
        Credential::new(id.clone(), Secret::new(format!("key-{id}")))
    }
}

fn reply(rng: &mut Rng) -> Reply {
    match rng.u8(0..100) {
        0..50 => Reply::ok(),
        50..75 => Reply::status(429).header("retry-after", rng.choice(["1", "5", "40", "soon"]).unwrap_or("1")),
        75..82 => Reply::status(401),
        82..86 => Reply::status(403),
        86 => Reply::status(402),
        87..90 => Reply::status(400).body("{\"error\":{\"message\":\"no such model\"}}"),
        90..94 => Reply::status(503),
        94..96 => Reply::status(500).body("<html>"),
        _ => Reply::connection_error(),
    }
}

#[cfg(test)]
mod tests {
    use oauth_marathon::Generation;
    use oauth_marathon::store::{CasOutcome, MemoryStore, Record, Store, StoreKey};
    use oauth_marathon::verdict::OutReason;

    use super::*;

    /// The standing of a credential that is out.
    async fn out() -> Standing {
        let mut record = Record::new(Credential::new("a", Secret::new("key")), Generation::new(1));
        record.health.out = Some(OutReason::Banned);
        let store = MemoryStore::new();
        let stored = store.compare_and_set(&StoreKey::new("openai", "a"), None, Some(record)).await.unwrap();
        assert!(matches!(stored, CasOutcome::Stored(_)));
        let pool = Pool::builder("openai").origin("https://api.example.com").store(store).open().await.unwrap();
        pool.snapshot().credentials[0].standing
    }

    #[tokio::test]
    async fn a_credential_that_was_cooling_and_was_used_is_found() {
        let found = |standing, kind| {
            let mut attempt = Attempt::new(1, 1);
            attempt.credential = Some(CredentialId::from("a"));
            attempt.verdict = Some(Verdict::new(kind));
            none_cooling_is_used(&HashMap::from([(CredentialId::from("a"), standing)]), &[attempt]).is_err()
        };
        let out = out().await;
        assert!(matches!(out, Standing::Out { .. }));
        assert!(found(out, Kind::Success) && found(out, Kind::Throttled));
        assert!(!found(Standing::Ready, Kind::Success) && !found(out, Kind::ServerError));
    }
}
