//! Rules for stores.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;

use super::store_calls::{load, set};
use super::store_race::{first_writers, writers};
use super::violation::{Rule, Violation};
use crate::store::{CasOutcome, Store, StoreKey, StoredTokens};
use crate::token::{Generation, TokenSet};

/// How many operations are compared with a plain map.
const OPERATIONS: usize = 300;

/// Holds a store against its contract: three hundred operations beside a plain map, then writers that race.
///
/// It writes under providers named `oauth-marathon-check-…`, of which it expects no entries: give it a store of its own.
/// Run it on a runtime with several threads as well, so that the writers really meet.
///
/// ```
/// use oauth_marathon::store::MemoryStore;
/// use oauth_marathon::testing::invariants::check_store;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// check_store(&Arc::new(MemoryStore::new()), 1).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The first rule that it breaks.
pub async fn check_store<S>(store: &Arc<S>, seed: u64) -> Result<(), Violation>
where
    S: Store + fmt::Debug,
{
    let rules = async {
        let mut rng = Rng::with_seed(seed);
        let secrets = beside_a_map(&**store, seed, &mut rng).await?;
        secrets_are_hidden(&**store, &secrets)?;
        first_writers(store, &format!("{}-first", provider(seed))).await?;
        writers(store, &format!("{}-race", provider(seed))).await
    };
    rules.await.map_err(|violation: Violation| violation.with_seed(seed))
}

/// Returns the secrets that the store has seen.
async fn beside_a_map<S: Store>(store: &S, seed: u64, rng: &mut Rng) -> Result<Vec<String>, Violation> {
    let mut map: HashMap<StoreKey, StoredTokens> = HashMap::new();
    let mut secrets = Vec::new();
    let keys = keys(seed);
    for _ in 0..OPERATIONS {
        let Some(key) = rng.choice(&keys).cloned() else { break };
        let held = map.get(&key).cloned();
        let generation = held.as_ref().map(|held| held.generation);
        let expected = match rng.u8(0..5) {
            0 => None,
            1 => Some(Generation::new(rng.u64(1..9))),
            2 => generation.map(|generation| Generation::new(generation.get() + 1)),
            _ => generation,
        };
        let next = entry(rng, Generation::new(expected.map_or(1, |expected| expected.get() + 1)), &mut secrets);
        let outcome = set(store, &key, expected, next.clone()).await?;
        let shown = || format!("{key} at generation {} set from {}", number(generation), number(expected));
        match (expected == generation, outcome) {
            (true, CasOutcome::Stored) => {
                map.insert(key.clone(), next);
            }
            // Only another key can have put it there.
            (true, CasOutcome::Conflict(Some(_))) if held.is_none() => {
                return Err(Violation::new(Rule::KeysMixed, shown()));
            }
            (true, CasOutcome::Conflict(_)) => return Err(Violation::new(Rule::ConflictInvented, shown())),
            (false, CasOutcome::Conflict(found)) if found == held => {}
            (false, _) => return Err(Violation::new(Rule::ConflictMissed, shown())),
        }
        if load(store, &key).await? != map.get(&key).cloned() {
            return Err(Violation::new(Rule::NotKept, shown()));
        }
        let other = rng.choice(&keys).cloned().unwrap_or_else(|| key.clone());
        if load(store, &other).await? != map.get(&other).cloned() {
            return Err(Violation::new(Rule::KeysMixed, format!("{other} after {}", shown())));
        }
    }
    Ok(secrets)
}

fn secrets_are_hidden<S: fmt::Debug>(store: &S, secrets: &[String]) -> Result<(), Violation> {
    let shown = format!("{store:?} {store:#?}");
    match secrets.iter().any(|secret| shown.contains(secret) || shown.contains(&format!("{secret:?}"))) {
        true => Err(Violation::new(Rule::SecretShown, std::any::type_name::<S>())),
        false => Ok(()),
    }
}

fn provider(seed: u64) -> String {
    format!("oauth-marathon-check-{seed}")
}

/// Keys that a careless store takes for one another, or for a path.
fn keys(seed: u64) -> Vec<StoreKey> {
    let provider = provider(seed);
    let inside = format!("{provider}/work");
    let ids = ["work", "Work", "work ", "work/home", "../work", "w\u{f6}rk", "a:b", "."];
    let mut keys: Vec<_> = ids.iter().map(|id| StoreKey::new(provider.clone(), *id)).collect();
    keys.push(StoreKey::new(inside, "home"));
    keys.push(StoreKey::new(format!("{provider}-eu"), "work"));
    keys
}

fn entry(rng: &mut Rng, generation: Generation, secrets: &mut Vec<String>) -> StoredTokens {
    let mut secret = |kind: &str| {
        // Tokens may hold what JSON and shells treat in a special way.
        let text = format!("{kind}-{:016x}\"'\\ $\u{e9}", rng.u64(..));
        secrets.push(text.clone());
        text
    };
    let (access, refresh) = (secret("access"), secret("refresh"));
    let mut tokens = TokenSet::new(access);
    if rng.bool() {
        tokens = tokens.with_refresh(refresh);
    }
    if rng.bool() {
        tokens = tokens.expires_at(SystemTime::UNIX_EPOCH + Duration::from_secs(rng.u64(1..4_000_000_000)));
    }
    StoredTokens::new(tokens, generation)
}

fn number(generation: Option<Generation>) -> String {
    generation.map_or_else(|| "none".to_owned(), |generation| generation.to_string())
}
