//! The store against the rules of the test kit, and a record that is taken apart and put together.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use oauth_marathon::store::{CasOutcome, Cooldown, Intent, LastStatus, Record, Store, StoreKey};
use oauth_marathon::verdict::{Kind, OutReason, Scope};
use oauth_marathon::{BoxError, Credential, Generation, Secret, TokenSet};
use oauth_marathon_test::invariants::check_store;
use outside_store::{FolderStore, Row};

fn record() -> Record {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let tokens = TokenSet::new("t-access").with_refresh("t-refresh").expires_at(at(1_900_000_000));
    let credential = Credential::new("work", tokens).label("Work").subject("1").header("x-api-key").scheme("");
    let credential = credential.extra_header("x-org", Secret::new("t-org")).base_url("https://eu.example.com/v1");
    let mut record = Record::new(credential, Generation::new(3));
    record.health.cooldowns = vec![
        Cooldown::new(Kind::QuotaExhausted, at(1_900_000_002)).with_model("large"),
        Cooldown::new(Kind::Throttled, at(1_900_000_003)).with_scope(Scope::Generation).with_guessed(true),
    ];
    record.health.out = Some(OutReason::RefreshLost);
    record.health.last_status = Some(LastStatus::new(StatusCode::TOO_MANY_REQUESTS, at(1_800_000_001)));
    record.intent = Some(Intent::new(Generation::new(3), at(1_800_000_000)));
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_rules() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(FolderStore::new(folder.path()));
    for seed in 0..2 {
        check_store(&store, seed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_record_is_there_after_a_new_start() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let key = StoreKey::new("openai", "work");
    let stored = FolderStore::new(folder.path()).compare_and_set(&key, None, Some(record())).await?;
    let found = FolderStore::new(folder.path()).load(&key).await?;
    assert_eq!(stored, CasOutcome::Stored(found.ok_or("gone")?));
    Ok(())
}

#[test]
fn all_of_a_record_comes_back_from_its_row() -> Result<(), BoxError> {
    assert_eq!(Row::of(&record())?.record()?, record());
    let key = Record::new(Credential::new("key", Secret::new("t-key")), Generation::new(1));
    assert_eq!(Row::of(&key)?.record()?, key);
    Ok(())
}

#[test]
fn no_secret_shows() -> Result<(), BoxError> {
    let shown = format!("{:?}", Row::of(&record())?);
    assert!(!shown.contains("t-"), "{shown}");
    Ok(())
}
