//! The logins in the store: logging in again where one is lost, and what must hold of all of them in the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oauth_marathon::store::{CasOutcome, Entry, FileStore, Record, Store, StoreKey};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, TokenSet};

use crate::EXCHANGE;
use crate::family::Families;

/// More than it takes until all is well again, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Logins {
    store: FileStore,
    pub(crate) names: Vec<String>,
    mended: AtomicUsize,
}

fn key(login: &str) -> StoreKey {
    StoreKey::new(login, "work")
}

impl Logins {
    pub(crate) async fn open(path: &str, families: &Families, count: usize) -> Self {
        let store = FileStore::open(path).await.unwrap();
        let names: Vec<_> = (0..count).map(|number| format!("login{number}")).collect();
        for login in &names {
            let record = Record::new(Credential::new("work", families.log_in(login)), Generation::new(1));
            let stored = store.compare_and_set(&key(login), None, Some(record)).await.unwrap();
            assert!(matches!(stored, CasOutcome::Stored(_)));
        }
        Self { store, names, mended: AtomicUsize::new(0) }
    }

    /// Logs in again where a login is lost and the store says so; says how often that was so far.
    pub(crate) async fn again(&self, families: &Families) -> usize {
        for login in &self.names {
            if families.current(login).is_some() {
                continue;
            }
            // It may be away, or not be told yet.
            let Ok(Some(held)) = self.store.load(&key(login)).await else { continue };
            match held.record.health.out {
                Some(OutReason::RefreshLost) => {
                    self.mended.fetch_add(1, Ordering::SeqCst);
                    self.put(login, held, families.log_in(login)).await;
                }
                Some(reason) => panic!("{login} is lost as {reason:?}: {:?}", families.reuses()),
                None => {}
            }
        }
        self.mended.load(Ordering::SeqCst)
    }

    async fn put(&self, login: &str, mut held: Entry, tokens: TokenSet) {
        let until = tokio::time::Instant::now() + LIMIT;
        while tokio::time::Instant::now() < until {
            let generation = Generation::new(held.record.generation.get() + 1);
            let next = Record::new(Credential::new("work", tokens.clone()), generation);
            match self.store.compare_and_set(&key(login), Some(held.revision), Some(next)).await {
                Ok(CasOutcome::Stored(_)) => return,
                Ok(CasOutcome::Conflict(Some(found))) => held = found,
                Ok(other) => panic!("{other:?}"),
                // The disk is full, or the file is away.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        panic!("{login} cannot be stored");
    }

    /// Waits until every login has been refreshed some times more, and those that are lost have been named.
    pub(crate) async fn settle(&self, families: &Families) {
        tokio::time::sleep(EXCHANGE * 2).await;
        let before = families.refreshes();
        let until = tokio::time::Instant::now() + LIMIT;
        loop {
            self.again(families).await;
            let now = families.refreshes();
            let is_alive = |login: &String| now.get(login) >= before.get(login).map(|count| count + 2).as_ref();
            let stuck: Vec<_> = self.names.iter().filter(|login| !is_alive(login)).collect();
            if stuck.is_empty() {
                return;
            }
            if tokio::time::Instant::now() > until {
                let records = self.store.load_all(stuck[0]).await;
                panic!("{stuck:?} are not refreshed any more: {records:?} {:?}", families.reuses());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The store holds the tokens that the server takes.
    pub(crate) async fn check(&self, families: &Families) {
        for login in &self.names {
            let record = self.store.load(&key(login)).await.unwrap().unwrap().record;
            let current = families.current(login).unwrap();
            let expected = format!("refresh.{login}.{current}");
            let tokens = match record.credential.material() {
                oauth_marathon::Material::OAuth(tokens) => tokens.refresh().map(|token| token.expose().to_owned()),
                other => panic!("{other:?}"),
            };
            assert_eq!(tokens, Some(expected), "{login} is lost without a word: {record:?}");
            assert_eq!(record.intent, None, "{login}");
        }
    }
}
