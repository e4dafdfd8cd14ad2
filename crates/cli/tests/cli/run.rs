//! Running the command, and looking at what it did.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use oauth_marathon::store::{CasOutcome, Entry, FileStore, Record, Store, StoreKey};
use oauth_marathon::{Credential, Generation, TokenSet};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// In every secret of these tests.
pub(crate) const CANARY: &str = "c4n4ry";

/// More than any run takes, on a machine that is busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn tokens(name: &str) -> TokenSet {
    TokenSet::new(format!("{CANARY}-access-{name}")).with_refresh(format!("{CANARY}-refresh-{name}"))
}

/// A user's home, with a store in it.
pub(crate) struct Home(TempDir);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) async fn store(&self) -> FileStore {
        FileStore::open(self.path(".local/share/oauth-marathon/credentials.json")).await.unwrap()
    }

    /// Puts a credential into the store.
    pub(crate) async fn add(&self, provider: &str, credential: Credential) -> Entry {
        self.add_record(provider, Record::new(credential, Generation::new(1))).await
    }

    pub(crate) async fn add_record(&self, provider: &str, record: Record) -> Entry {
        let key = StoreKey::new(provider, record.credential.id());
        match self.store().await.compare_and_set(&key, None, Some(record)).await.unwrap() {
            CasOutcome::Stored(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn load(&self, provider: &str, id: &str) -> Option<Record> {
        self.store().await.load(&StoreKey::new(provider, id)).await.unwrap().map(|entry| entry.record)
    }

    /// The ids of a provider in their order.
    pub(crate) async fn ids(&self, provider: &str) -> Vec<String> {
        let all = self.store().await.load_all(provider).await.unwrap();
        all.iter().map(|entry| entry.record.credential.id().to_string()).collect()
    }

    /// What `auth list --json` says of one credential.
    pub(crate) async fn listed(&self, provider: &str, id: &str) -> Value {
        let ran = self.run(&["auth", "list", provider, "--json"]).await.done();
        let all: Value = serde_json::from_str(&ran.out).unwrap();
        let list = all["providers"][0]["credentials"].as_array().unwrap();
        list.iter().find(|one| one["id"] == id).cloned().unwrap_or_else(|| panic!("{id} is not in {all}"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_marathon"));
        command.args(args).env_clear().env("HOME", self.0.path()).env("PATH", self.path("bin")).kill_on_drop(true);
        command.current_dir(self.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        ended(self.command(args).spawn().unwrap()).await
    }

    pub(crate) async fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // It may end before it has read all of it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        ended(child).await
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        Running { child, err, said: String::new() }
    }
}

/// A run that is not over.
pub(crate) struct Running {
    pub(crate) child: Child,
    err: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    /// Reads notes until a line contains `what`, and returns that line.
    pub(crate) async fn says(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            let read = timeout(LIMIT, self.err.read_line(&mut line)).await.expect("it says something").unwrap();
            self.said.push_str(&line);
            assert!(read > 0, "it ended without {what:?}:\n{}", self.said);
            if line.contains(what) {
                return line.trim().to_owned();
            }
        }
    }

    pub(crate) fn interrupt(&self) {
        let id = rustix::process::Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    }

    pub(crate) async fn ended(mut self) -> Ran {
        let mut more = String::new();
        while timeout(LIMIT, self.err.read_line(&mut more)).await.expect("it ends").unwrap() > 0 {}
        let mut ran = ended(self.child).await;
        ran.err = self.said + &more;
        ran.check();
        ran
    }
}

async fn ended(child: Child) -> Ran {
    let Output { status, stdout, stderr } = timeout(LIMIT, child.wait_with_output()).await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: status.code().expect("no signal ends it"), out: text(stdout), err: text(stderr) };
    ran.check();
    ran
}

impl Ran {
    /// No secret shows, and nothing has panicked.
    fn check(&self) {
        assert!(!self.out.contains(CANARY) && !self.err.contains(CANARY), "a secret shows: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }

    /// It has succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It has failed in this way, and says so.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, with: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(with), "{with:?} is not in:\n{}", self.err);
        self
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o7777
}
