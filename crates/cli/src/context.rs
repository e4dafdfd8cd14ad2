//! The context of every command: the terminal, the store, the HTTP client, the time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::config::Settings;
use oauth_marathon::store::{Entry, FileStore, Store};
use tokio::sync::Notify;

use super::failure::{Code, Failure};
use super::terminal::Terminal;

pub(super) type Http = HttpClient<Full<Bytes>>;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) terminal: Terminal,
    path: Option<PathBuf>,
    unfinished: Arc<Unfinished>,
}

#[derive(Debug, Default)]
struct Unfinished {
    count: AtomicUsize,
    ended: Notify,
}

/// A guard for work that must not be cut off: the command ends only after it is dropped.
#[derive(Debug)]
pub(super) struct Work(Arc<Unfinished>);

impl Context {
    pub(super) fn new(terminal: Terminal, path: Option<PathBuf>) -> Self {
        Self { terminal, path, unfinished: Arc::default() }
    }

    pub(super) async fn store(&self) -> Result<FileStore, Failure> {
        Ok(match &self.path {
            Some(path) => FileStore::open(path).await?,
            None => FileStore::open_default().await?,
        })
    }

    pub(super) fn http(settings: &Settings) -> Result<Http, Failure> {
        Ok(HttpClient::with_connect_timeout(settings.connect_timeout)?)
    }

    pub(super) fn now() -> SystemTime {
        SystemClock::default().now()
    }

    pub(super) fn begin_work(&self) -> Work {
        self.unfinished.count.fetch_add(1, Ordering::SeqCst);
        Work(self.unfinished.clone())
    }

    pub(super) fn has_unfinished(&self) -> bool {
        self.unfinished.count.load(Ordering::SeqCst) > 0
    }

    /// Waits until all such work is finished.
    pub(super) async fn finished(&self) {
        loop {
            let ended = self.unfinished.ended.notified();
            if !self.has_unfinished() {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify_waiters();
    }
}

/// The credentials of a provider; an error if there are none.
pub(super) async fn entries_of(store: &FileStore, provider: &str) -> Result<Vec<Entry>, Failure> {
    let entries = store.load_all(provider).await?;
    if !entries.is_empty() {
        return Ok(entries);
    }
    let names = store.providers().await?;
    let there =
        if names.is_empty() { "the store is empty".to_owned() } else { format!("there are {}", names.join(", ")) };
    let message = format!("there are no credentials of {provider:?}; {there}. Add one: marathon auth login {provider}");
    Err(Failure::new(Code::Missing, message))
}

/// The failure for a credential that the provider does not have.
pub(super) fn no_such(provider: &str, id: &str, entries: &[Entry]) -> Failure {
    let ids: Vec<_> = entries.iter().map(|entry| entry.record.credential.id().as_str()).collect();
    let message = format!("{provider} has no credential {id:?}; there are {}", ids.join(", "));
    Failure::new(Code::Missing, message)
}
