//! Calls to a store that have to succeed; an error breaks a rule.

use oauth_marathon::store::{CasOutcome, Entry, Record, Revision, Store, StoreKey};

use super::violation::{Rule, Violation};

pub(super) async fn load<S: Store>(store: &S, key: &StoreKey) -> Result<Option<Entry>, Violation> {
    store.load(key).await.map_err(|error| Violation::new(Rule::Failed, format!("load of {key}: {error}")))
}

pub(super) async fn set<S: Store>(
    store: &S,
    key: &StoreKey,
    expected: Option<Revision>,
    next: Option<Record>,
) -> Result<CasOutcome, Violation> {
    let outcome = store.compare_and_set(key, expected, next).await;
    outcome.map_err(|error| Violation::new(Rule::Failed, format!("compare_and_set of {key}: {error}")))
}
