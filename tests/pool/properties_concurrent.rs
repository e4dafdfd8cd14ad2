//! Many tasks over one pool on several threads: nothing is counted twice, nothing is lost, no request waits for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::pool::CredentialSnapshot;
use oauth_marathon::verdict::Scope;
use oauth_marathon::{Credential, MarathonLayer, Pool, RequestContext, Secret, TokenSet};
use oauth_marathon_test::{Exchange, Grant, Reply, ScriptedProvider, ScriptedTokens};
use proptest::prelude::*;
use tower::{ServiceBuilder, ServiceExt};

/// What each send counted as, by the provider.
#[derive(Debug, Default)]
struct Counts {
    successes: AtomicU64,
    failures: AtomicU64,
    /// Refused for the request's sake: neither a success nor a failure of the credential.
    neither: AtomicU64,
}

fn answer(counts: &Counts, random: u64) -> Reply {
    let (count, reply) = match random % 16 {
        0..8 => (&counts.successes, Reply::ok()),
        8 => (&counts.failures, Reply::status(429)),
        9 => (&counts.failures, Reply::limited(0)),
        10 => (&counts.failures, Reply::status(401)),
        11 => (&counts.failures, Reply::status(402)),
        12 => (&counts.neither, Reply::status(400)),
        13 => (&counts.neither, Reply::status(404)),
        _ => (&counts.failures, Reply::connection_error()),
    };
    count.fetch_add(1, Relaxed);
    let reply = reply.body("{}");
    if random & 0x1000 > 0 { reply.yielding() } else { reply }
}

/// Every fifth refresh fails.
fn tokens() -> ScriptedTokens {
    let grant = |exchange: &Exchange| match exchange.number % 5 {
        0 => Grant::busy(),
        _ => Grant::tokens(TokenSet::new(format!("token-{}", exchange.number)).with_refresh("refresh")),
    };
    ScriptedTokens::new().answering(move |exchange| Some(grant(exchange).yielding()))
}

fn pool(accounts: usize, keys: bool) -> Pool {
    Pool::builder("test")
        .origin("https://api.example.com")
        .credentials((0..accounts).map(|number| {
            let id = format!("account-{number}");
            match number % 2 {
                0 if !keys => Credential::new(id, TokenSet::new("token").with_refresh("refresh")),
                _ => Credential::new(id, Secret::new("key")),
            }
        }))
        .token_source(tokens())
        .build()
        .unwrap()
}

/// Sends some requests, and says how many sends they took by credential.
async fn task(pool: Pool, counts: Arc<Counts>, requests: usize, seed: u64) -> BTreeMap<String, u64> {
    let mut sends = BTreeMap::new();
    let random = std::sync::Mutex::new(fastrand::Rng::with_seed(seed));
    let provider = ScriptedProvider::new();
    let provider = provider.answering(move |_| Some(answer(&counts, random.lock().unwrap().u64(..))));
    let client = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(provider);
    for number in 0..requests {
        let request =
            Request::post("https://api.example.com/v1").body(Full::new(Bytes::from_static(b"hello"))).unwrap();
        let context = RequestContext::new();
        let result = context.clone().scope(client.clone().oneshot(request)).await;
        if let Ok(answer) = result {
            answer.into_body().collect().await.unwrap();
        }
        let attempts = context.attempts();
        assert!(attempts.len() <= 100, "{attempts:?}");
        for credential in attempts.into_iter().filter_map(|attempt| attempt.credential) {
            *sends.entry(credential.to_string()).or_insert(0) += 1;
        }
        if number % 3 == 0 {
            pool.clear(format!("account-{}", seed % 4), Scope::Credential);
        }
    }
    sends
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_counts_add_up_however_the_tasks_interleave(accounts in 1_usize..6, tasks in 2_u64..16, requests in 1_usize..30, seed: u64, keys: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let counts = Arc::new(Counts::default());
        let pool = pool(accounts, keys);
        let noted = runtime.block_on(async {
            let tasks: Vec<_> = (0..tasks)
                .map(|number| tokio::spawn(task(pool.clone(), counts.clone(), requests, seed.wrapping_add(number))))
                .collect();
            let mut noted = BTreeMap::new();
            for task in tasks {
                let sends = tokio::time::timeout(Duration::from_secs(60), task).await.expect("no task is stuck");
                for (credential, sends) in sends.expect("no task panics") {
                    *noted.entry(credential).or_insert(0) += sends;
                }
            }
            pool.shutdown().await;
            noted
        });
        let snapshot = pool.snapshot();
        let sum = |count: fn(&CredentialSnapshot) -> u64| snapshot.credentials.iter().map(count).sum::<u64>();
        prop_assert_eq!(sum(|credential| credential.successes), counts.successes.load(Relaxed));
        prop_assert_eq!(sum(|credential| u64::from(credential.in_flight)), 0);
        let sends = counts.successes.load(Relaxed) + counts.failures.load(Relaxed) + counts.neither.load(Relaxed);
        prop_assert_eq!(noted.values().sum::<u64>(), sends);
        // A 401 counts for no account if another request has replaced the token meanwhile.
        let (failures, failed) = (sum(|credential| credential.failures), counts.failures.load(Relaxed));
        prop_assert!(failures == failed || !keys && failures < failed, "{} of {:?}", failures, counts);
        prop_assert!(!snapshot.credentials.iter().any(|credential| credential.refreshing));
    }
}
