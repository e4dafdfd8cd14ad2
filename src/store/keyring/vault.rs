//! Calls the keyring on a thread of its own, with a time limit: its calls block, and a locked one can wait for a
//! person.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error as KeyringError};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::secrets::Secrets;
use crate::error::{Error, ErrorKind};
use crate::sync::shielded;

/// How long a call may take. An unlocked keyring answers in milliseconds.
const LIMIT: Duration = Duration::from_millis(900);

/// The service name of all entries of all stores.
const SERVICE: &str = "oauth-marathon";

const REMEDY: &str = "unlock the keyring of this session, or use FileStore where there is none";

type Opened = Option<Arc<CredentialStore>>;
type Job = Box<dyn FnOnce(&mut Opened) + Send>;

/// Sends calls to the keyring's thread.
pub(super) struct Vault(Sender<Job>, Arc<dyn Fn() -> keyring_core::Result<Arc<CredentialStore>> + Send + Sync>);

impl Vault {
    /// Starts the thread. It calls `open` before the first call and after each one that failed.
    pub(super) fn new(
        open: impl Fn() -> keyring_core::Result<Arc<CredentialStore>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("oauth-marathon-keyring".to_owned());
        let started = thread.spawn(move || work(&queue));
        started.map_err(|source| failed("the thread of the keyring could not be started").with_source(source))?;
        Ok(Self(jobs, Arc::new(open)))
    }

    pub(super) async fn read(&self, name: String) -> Result<Option<Secrets>, Error> {
        let secret = self.call(name, |entry| match entry.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        });
        secret.await
    }

    pub(super) async fn write(&self, name: String, secrets: Secrets) -> Result<(), Error> {
        self.call(name, move |entry| entry.set_password(&secrets)).await
    }

    /// Removes an entry that is not needed any more. If this fails, the entry stays.
    pub(super) async fn remove(&self, name: String) {
        let removed = self.call(name, |entry| match entry.delete_credential() {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(error),
        });
        if let Err(error) = removed.await {
            tracing::warn!(target: "oauth_marathon", %error, "an old entry of the keyring could not be removed");
        }
    }

    /// The names of all entries that begin with `beginning`. Not every keyring can be searched.
    pub(super) async fn names(&self, beginning: String) -> Result<Vec<String>, Error> {
        self.ask(move |store| {
            let found = store.search(&HashMap::from([("service", SERVICE)]))?;
            let names = found.iter().filter_map(Entry::get_specifiers).map(|(_, name)| name);
            Ok(names.filter(|name| name.starts_with(&beginning)).collect())
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        name: String,
        call: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(move |store| call(&store.build(SERVICE, &name, None)?)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let open = self.1.clone();
        let job: Job = Box::new(move |opened| {
            // The caller has gone, and a late call must not change anything.
            if answer.is_closed() {
                return;
            }
            let outcome = connected(opened, &*open).and_then(|store| call(&*store));
            if outcome.is_err() {
                *opened = None;
            }
            let _ = answer.send(outcome);
        });
        self.0.send(job).map_err(|_| failed("the thread of the keyring has ended"))?;
        match tokio::time::timeout(LIMIT, answered).await {
            Ok(Ok(outcome)) => {
                outcome.map_err(|error| failed(&format!("the keyring failed: {}; {REMEDY}", words(&error))))
            }
            Ok(Err(_)) => Err(failed("the keyring's crate panicked")),
            Err(_) => Err(failed(&format!("the keyring has not answered within {} ms; {REMEDY}", LIMIT.as_millis()))),
        }
    }
}

fn connected(
    opened: &mut Opened,
    open: &dyn Fn() -> keyring_core::Result<Arc<CredentialStore>>,
) -> keyring_core::Result<Arc<CredentialStore>> {
    match opened {
        Some(store) => Ok(store.clone()),
        None => Ok(opened.insert(open()?).clone()),
    }
}

fn work(queue: &Receiver<Job>) {
    let mut opened = None;
    while let Ok(job) = queue.recv() {
        // The keyring is foreign code: if it panics, only this call fails.
        if shielded(|| job(&mut opened)).is_none() {
            opened = None;
        }
    }
}

/// A keyring's error in words that cannot hold a secret.
fn words(error: &KeyringError) -> String {
    match error {
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "an entry cannot be read".to_owned(),
        KeyringError::Ambiguous(_) => "there are several entries of one name".to_owned(),
        other => other.to_string(),
    }
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Store, message)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}
