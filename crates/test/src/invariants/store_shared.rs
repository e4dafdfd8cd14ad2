//! Rules for stores that several processes share: order, leases, change notifications, and notes about health.

use std::time::{Duration, SystemTime};

use fastrand::Rng;
use oauth_marathon::store::{CasOutcome, Changes, Cooldown, Entry, HealthChange, Record, Store, StoreKey};
use oauth_marathon::verdict::{Kind, OutReason};
use oauth_marathon::{BoxError, Credential, CredentialId, Generation, TokenSet};
use tokio::time::timeout;

use super::store_calls::{load, set};
use super::violation::{Rule, Violation};

const MEMBERS: usize = 6;

/// The time within which a change has to be reported, and a lease that was given back has to be granted.
const SOON: Duration = Duration::from_secs(2);

/// Checks all methods of a store against their contract, through two handles, which stand for two processes. The rules
/// of [`check_store`](super::check_store) are not checked here.
///
/// It writes under the provider `oauth-marathon-check-shared-…` and expects no records there.
///
/// ```
/// use oauth_marathon::store::MemoryStore;
/// use oauth_marathon_test::invariants::check_shared_store;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let store = MemoryStore::new();
/// check_shared_store(&store, &store.clone(), 1).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The first rule that the store breaks.
pub async fn check_shared_store<S: Store>(one: &S, other: &S, seed: u64) -> Result<(), Violation> {
    let provider = format!("oauth-marathon-check-shared-{seed}");
    let both = Both { one, other, provider: &provider };
    let rules = async {
        let mut rng = Rng::with_seed(seed);
        both.order(&mut rng).await?;
        both.leases().await?;
        both.changes().await?;
        both.notes().await
    };
    rules.await.map_err(|violation: Violation| violation.with_seed(seed))
}

struct Both<'a, S> {
    one: &'a S,
    other: &'a S,
    provider: &'a str,
}

impl<S: Store> Both<'_, S> {
    fn key(&self, id: &str) -> StoreKey {
        StoreKey::new(self.provider, id)
    }

    async fn put(&self, id: &str, generation: u64) -> Result<Entry, Violation> {
        let held = load(self.one, &self.key(id)).await?;
        let record = Record::new(Credential::new(id, TokenSet::new("access")), Generation::new(generation));
        match set(self.one, &self.key(id), held.map(|held| held.revision), Some(record)).await? {
            CasOutcome::Stored(entry) => Ok(entry),
            _ => Err(Violation::new(Rule::ConflictInvented, format!("{} alone", self.key(id)))),
        }
    }

    async fn remove(&self, id: &str) -> Result<(), Violation> {
        let held = load(self.one, &self.key(id)).await?;
        match set(self.one, &self.key(id), held.map(|held| held.revision), None).await? {
            CasOutcome::Removed => Ok(()),
            _ => Err(Violation::new(Rule::ConflictInvented, format!("removing {} alone", self.key(id)))),
        }
    }

    async fn listed(&self) -> Result<Vec<String>, Violation> {
        let entries = self.other.load_all(self.provider).await.map_err(|error| failed("load_all", &error))?;
        Ok(entries.iter().map(|entry| entry.record.credential.id().to_string()).collect())
    }

    async fn order(&self, rng: &mut Rng) -> Result<(), Violation> {
        let mut model: Vec<String> = Vec::new();
        for step in 0..40 {
            let id = format!("c{}", rng.usize(0..MEMBERS));
            match (rng.u8(0..4), model.contains(&id)) {
                (0, true) => {
                    self.remove(&id).await?;
                    model.retain(|member| *member != id);
                }
                (1, _) => {
                    let named: Vec<_> =
                        (0..rng.usize(0..MEMBERS)).map(|_| format!("c{}", rng.usize(0..MEMBERS + 2))).collect();
                    let order: Vec<_> = named.iter().map(|id| CredentialId::from(id.as_str())).collect();
                    self.one.set_order(self.provider, &order).await.map_err(|error| failed("set_order", &error))?;
                    model.sort_by_key(|member| named.iter().position(|id| id == member).unwrap_or(named.len()));
                }
                (_, held) => {
                    self.put(&id, 1_000 + step).await?;
                    if !held {
                        model.push(id);
                    }
                }
            }
            let listed = self.listed().await?;
            if listed != model {
                return Err(Violation::new(Rule::OutOfOrder, format!("{listed:?} instead of {model:?}")));
            }
            self.named(!model.is_empty()).await?;
        }
        for id in &model {
            self.remove(id).await?;
        }
        self.named(false).await
    }

    /// Checks that the provider is listed exactly if it has records.
    async fn named(&self, expected: bool) -> Result<(), Violation> {
        let providers = self.other.providers().await.map_err(|error| failed("providers", &error))?;
        if providers.iter().any(|name| name == self.provider) != expected {
            return Err(Violation::new(
                Rule::OutOfOrder,
                format!("{providers:?}, of which one has records: {expected}"),
            ));
        }
        Ok(())
    }

    async fn leases(&self) -> Result<(), Violation> {
        let [key, beside] = [self.key("lease"), self.key("beside")];
        let lease = async |store: &S, key: &StoreKey, patience| {
            store.lease(key, patience).await.map_err(|error| failed("lease", &error))
        };
        let withheld = |what: &str| Violation::new(Rule::LeaseWithheld, format!("{key}, {what}"));
        let held = lease(self.one, &key, SOON).await?.ok_or_else(|| withheld("which is free"))?;
        if !held.is_exclusive() {
            return Err(Violation::new(Rule::LeaseShared, format!("{key}, which is not exclusive")));
        }
        for (store, whose) in [(self.one, "the same handle"), (self.other, "another handle")] {
            if lease(store, &key, Duration::from_millis(20)).await?.is_some() {
                return Err(Violation::new(Rule::LeaseShared, format!("{key}, by {whose}")));
            }
        }
        let _ = lease(self.other, &beside, SOON).await?.ok_or_else(|| withheld("as another key is leased"))?;
        let mut waits = std::pin::pin!(lease(self.other, &key, SOON));
        if timeout(Duration::from_millis(20), &mut waits).await.is_ok() {
            return Err(Violation::new(Rule::LeaseShared, format!("{key}, by one who should wait")));
        }
        drop(held);
        let _ = waits.await?.ok_or_else(|| withheld("which was given back"))?;
        let _ = lease(self.one, &key, SOON).await?.ok_or_else(|| withheld("which was given back at once"))?;
        Ok(())
    }

    async fn changes(&self) -> Result<(), Violation> {
        let mut changes = self.other.watch();
        self.put("watched", 5_000).await?;
        told(&mut changes, "a new record").await?;
        self.put("watched", 5_001).await?;
        self.put("last", 5_001).await?;
        told(&mut changes, "a changed record").await?;
        // Two changes may have been reported one by one.
        let _ = timeout(SOON, changes.changed()).await;
        self.one.set_order(self.provider, &["last".into()]).await.map_err(|error| failed("set_order", &error))?;
        told(&mut changes, "a new order").await?;
        self.remove("watched").await?;
        told(&mut changes, "a removal").await
    }

    async fn notes(&self) -> Result<(), Violation> {
        let key = self.key("noted");
        let before = self.put("noted", 7_000).await?;
        let current = before.record.generation;
        let until = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let throttled = Cooldown::new(Kind::Throttled, until(4_000_000_000));
        let billing = Cooldown::new(Kind::Billing, until(4_000_000_001)).with_guessed(true);
        let model = Cooldown::new(Kind::QuotaExhausted, until(4_000_000_002)).with_model("large");

        let older = Generation::new(current.get() - 1);
        self.one.note_health(&key, older, HealthChange::new().out(Some(OutReason::Banned)));
        self.one.note_health(&self.key("absent"), current, HealthChange::new().cooled(throttled.clone()));
        self.flush(self.one).await?;
        if load(self.other, &key).await?.as_ref() != Some(&before)
            || load(self.other, &self.key("absent")).await?.is_some()
        {
            return Err(Violation::new(Rule::NoteMisplaced, format!("{key} and a key that is not held")));
        }

        self.one.note_health(&key, current, HealthChange::new().cooled(throttled.clone()));
        self.other.note_health(&key, current, HealthChange::new().cooled(billing.clone()));
        self.one.note_health(&key, current, HealthChange::new().cooled(model.clone()).out(Some(OutReason::Revoked)));
        self.flush(self.one).await?;
        self.flush(self.other).await?;
        let after = load(self.other, &key).await?;
        let after = after.ok_or_else(|| Violation::new(Rule::NotKept, format!("{key} after notes")))?;
        let health = &after.record.health;
        let kept = [&throttled, &billing, &model].into_iter().all(|cooldown| health.cooldowns.contains(cooldown));
        if !kept || health.cooldowns.len() != 3 || health.out != Some(OutReason::Revoked) {
            return Err(Violation::new(Rule::NoteLost, format!("{health:?}")));
        }
        if after.revision == before.revision {
            return Err(Violation::new(Rule::WentBack, format!("{key} has the revision that it had before the notes")));
        }
        self.one.note_health(&key, current, HealthChange::new().cleared());
        self.flush(self.one).await?;
        match load(self.other, &key).await? {
            Some(cleared) if cleared.record == before.record => Ok(()),
            found => Err(Violation::new(Rule::NoteLost, format!("{found:?} after it was cleared"))),
        }
    }

    async fn flush(&self, store: &S) -> Result<(), Violation> {
        store.flush().await.map_err(|error| failed("flush", &error))
    }
}

async fn told(changes: &mut Changes, of: &str) -> Result<(), Violation> {
    timeout(SOON, changes.changed()).await.map_err(|_| Violation::new(Rule::ChangeUntold, of))
}

fn failed(call: &str, error: &BoxError) -> Violation {
    Violation::new(Rule::Failed, format!("{call}: {error}"))
}
