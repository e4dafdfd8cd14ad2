//! Rules for stores.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use http::StatusCode;
use oauth_marathon::store::{
    CasOutcome, Cooldown, Entry, HealthChange, Intent, LastStatus, Record, Revision, Store, StoreKey,
};
use oauth_marathon::verdict::{Kind, OutReason};
use oauth_marathon::{Credential, Generation, Material, Secret, TokenSet};

use super::store_calls::{load, set};
use super::store_race::{first_writers, writers};
use super::violation::{Rule, Violation};

/// How many operations are compared with a plain map.
const OPERATIONS: usize = 300;

/// Checks a store against its contract: three hundred operations compared with a plain map, then writers that race.
///
/// It writes under providers named `oauth-marathon-check-…` and expects no entries there: give it a store of its own.
/// Run it on a runtime with several threads as well, so that the writers really meet.
///
/// ```
/// use oauth_marathon::store::MemoryStore;
/// use oauth_marathon_test::invariants::check_store;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// check_store(&Arc::new(MemoryStore::new()), 1).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The first rule that the store breaks.
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

/// Compares a store with a plain map. Returns the secrets that the store has seen.
async fn beside_a_map<S: Store>(store: &S, seed: u64, rng: &mut Rng) -> Result<Vec<String>, Violation> {
    let mut map: HashMap<StoreKey, Entry> = HashMap::new();
    // The generations of removed records, and all revisions so far.
    let mut removed: HashMap<StoreKey, Generation> = HashMap::new();
    let mut revisions: HashMap<StoreKey, Vec<Revision>> = HashMap::new();
    let mut secrets = Vec::new();
    let keys = keys(seed);
    for _ in 0..OPERATIONS {
        let Some(key) = rng.choice(&keys).cloned() else { break };
        let held = map.get(&key).cloned();
        let current = held.as_ref().map(|held| held.revision);
        let past = revisions.entry(key.clone()).or_default();
        let expected = match rng.u8(0..5) {
            0 => None,
            1 => rng.choice(&*past).copied(),
            2 => Some(Revision::new(rng.u64(1 << 40..))),
            _ => current,
        };
        let generation = held.as_ref().map_or(Generation::new(1), |held| held.record.generation);
        let next = (rng.u8(0..6) > 0).then(|| record(rng, &key, generation, &mut secrets));
        let outcome = set(store, &key, expected, next.clone()).await?;
        let shown = || format!("{key} at revision {} set from {}", number(current), number(expected));
        match (expected == current, next, outcome) {
            (true, Some(next), CasOutcome::Stored(entry)) => {
                let least = removed.get(&key).map_or(next.generation, |removed| removed.next().max(next.generation));
                if !is_kept(&entry.record, next) {
                    return Err(Violation::new(Rule::NotKept, shown()));
                }
                if entry.record.generation < least || past.contains(&entry.revision) {
                    return Err(Violation::new(Rule::WentBack, shown()));
                }
                past.push(entry.revision);
                map.insert(key.clone(), entry);
            }
            (true, None, CasOutcome::Removed) => {
                if let Some(gone) = map.remove(&key) {
                    removed.insert(key.clone(), gone.record.generation);
                }
            }
            // Only a write under another key can have put it there.
            (true, _, CasOutcome::Conflict(Some(_))) if held.is_none() => {
                return Err(Violation::new(Rule::KeysMixed, shown()));
            }
            (true, _, _) => return Err(Violation::new(Rule::ConflictInvented, shown())),
            (false, _, CasOutcome::Conflict(found)) if found == held => {}
            (false, _, _) => return Err(Violation::new(Rule::ConflictMissed, shown())),
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

/// Keys that a careless store confuses with each other, or with a path.
fn keys(seed: u64) -> Vec<StoreKey> {
    let provider = provider(seed);
    let inside = format!("{provider}/work");
    let ids = ["work", "Work", "work ", "work/home", "../work", "w\u{f6}rk", "a:b", "."];
    let mut keys: Vec<_> = ids.iter().map(|id| StoreKey::new(provider.clone(), *id)).collect();
    keys.push(StoreKey::new(inside, "home"));
    keys.push(StoreKey::new(format!("{provider}-eu"), "work"));
    keys
}

fn record(rng: &mut Rng, key: &StoreKey, least: Generation, secrets: &mut Vec<String>) -> Record {
    let mut secret = |rng: &mut Rng, kind: &str| {
        // Secrets may hold characters that JSON and shells treat in a special way.
        let text = format!("{kind}-{:016x}\"'\\ $\u{e9}\u{1}", rng.u64(..));
        secrets.push(text.clone());
        Secret::new(text)
    };
    let mut tokens = TokenSet::new(secret(rng, "access"));
    if rng.bool() {
        tokens = tokens.with_refresh(secret(rng, "refresh"));
    }
    if rng.bool() {
        tokens = tokens.expires_at(time(rng));
    }
    let material = if rng.u8(0..4) == 0 { Material::from(secret(rng, "key")) } else { tokens.into() };
    let mut credential = Credential::new(key.credential(), material);
    if rng.bool() {
        credential = credential.label("L\u{f6}we \"1\"").subject("acct_1").header("x-key").scheme("");
    }
    if rng.bool() {
        credential = credential.base_url("https://eu.example.com/v1").extra_header("x-org", secret(rng, "extra"));
        credential = credential.extra_header("x-org", secret(rng, "extra"));
    }
    let mut record = Record::new(credential, Generation::new(least.get() + rng.u64(0..2)));
    if rng.bool() {
        let cooled = Cooldown::new(Kind::Throttled, time(rng)).with_guessed(rng.bool());
        let of_a_model = Cooldown::new(Kind::QuotaExhausted, time(rng)).with_model("large");
        let answered = LastStatus::new(StatusCode::TOO_MANY_REQUESTS, time(rng));
        HealthChange::new().cooled(cooled).cooled(of_a_model).answered(answered).apply(&mut record.health);
    }
    if rng.u8(0..4) == 0 {
        record.health.out = Some(OutReason::RefreshRefused);
        let mut intent = Intent::new(record.generation, time(rng));
        intent.ended = record.generation.get().is_multiple_of(2);
        record.intent = Some(intent);
    }
    record
}

/// Whether the record `held` is the one that was `given`, with a generation of the store's own.
fn is_kept(held: &Record, mut given: Record) -> bool {
    given.generation = held.generation;
    *held == given
}

/// A random time in whole milliseconds, which a store can keep exactly.
fn time(rng: &mut Rng) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(rng.u64(1..4_000_000_000_000))
}

fn number(revision: Option<Revision>) -> String {
    revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string())
}
