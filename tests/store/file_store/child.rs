//! The test binary, started again as another process that does what its environment says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use oauth_marathon::store::{FileStore, Store};

use crate::file_store::place::{key, raise, record};
use crate::support::children::test_name;

/// A path that the process looks for once a save is acknowledged, so that the trace shows the moment.
pub(crate) const ACKNOWLEDGED: &str = "/acknowledged";

/// The command that runs `task` on the store at `path`.
pub(crate) fn command(task: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = test_name(module_path!(), "child");
    command.args([&name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("STORE_TASK", task).env("STORE_PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A running process and the words that it has printed.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) said: Arc<Mutex<HashMap<String, u64>>>,
    listener: Option<JoinHandle<()>>,
    _stdin: Option<ChildStdin>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = Arc::<Mutex<HashMap<_, _>>>::default();
        let (heard, output) = (said.clone(), child.stdout.take().unwrap());
        let listener = std::thread::spawn(move || listen(output, &heard));
        Self { _stdin: child.stdin.take(), child, said, listener: Some(listener) }
    }

    /// Kills the process, and returns what it had printed by then.
    pub(crate) fn kill(mut self) -> HashMap<String, u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        std::mem::take(&mut self.said.lock().unwrap())
    }

    /// Waits until the process has printed this word, and returns its number.
    pub(crate) fn heard(&self, word: &str) -> u64 {
        loop {
            // Asked first, as the last word may come in between.
            let over = self.listener.as_ref().unwrap().is_finished();
            if let Some(number) = self.said.lock().unwrap().get(word) {
                return *number;
            }
            assert!(!over, "it ended without {word:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs no more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines of a word and a number. Of each word the last number counts.
fn listen(output: ChildStdout, heard: &Mutex<HashMap<String, u64>>) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { return };
        let mut words = line.split(' ');
        // The harness says other things.
        if let (Some("say"), Some(word), Some(number)) = (words.next(), words.next(), words.next()) {
            heard.lock().unwrap().insert(word.to_owned(), number.parse().unwrap());
        }
    }
}

fn say(word: &str, number: u64) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\nsay {word} {number}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

#[test]
#[ignore = "it is what the other processes run"]
fn child() {
    let Ok(task) = std::env::var("STORE_TASK") else { return };
    let path = PathBuf::from(std::env::var_os("STORE_PATH").unwrap());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // One thread that touches files, and the same one all the time.
    runtime.enable_time().max_blocking_threads(1).thread_keep_alive(Duration::from_secs(600));
    let runtime = runtime.build().unwrap();
    let (task, argument) = task.split_once(' ').unwrap_or((&task, ""));
    runtime.block_on(async {
        match task {
            "count" => endless(&path, argument).await,
            "raise" => some(&path, argument.parse().unwrap()).await,
            "save" => one(&path).await,
            "lease" => hold(&path).await,
            "default" => {
                let store = FileStore::open_default().await.unwrap();
                assert_eq!(store.path(), path);
                say("opened", 1);
            }
            "full" => crate::file_store::mounts::full(&path).await,
            "room" => crate::file_store::mounts::room(&path).await,
            "read-only" => crate::file_store::mounts::read_only(&path).await,
            other => panic!("{other}"),
        }
    });
}

/// Task: raises its own record and one that all processes share, until it is killed.
async fn endless(path: &Path, own: &str) {
    let store = FileStore::open(path).await.unwrap();
    loop {
        if let Some(stored) = raise(&store, own).await.unwrap() {
            say("own", stored);
        }
        if let Some(stored) = raise(&store, "shared").await.unwrap() {
            say("shared", stored);
        }
    }
}

/// Task: raises the shared record this many times.
async fn some(path: &Path, times: u64) {
    let store = FileStore::open(path).await.unwrap();
    let mut done = 0;
    while done < times {
        done += u64::from(raise(&store, "shared").await.unwrap().is_some());
    }
    say("done", done);
}

/// Task: waits until it may begin, then saves once, on a thread that it names.
async fn one(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    let held = store.load(&key("work")).await.unwrap().unwrap();
    let next = record("work", held.record.generation.get() + 1);
    let thread = tokio::task::spawn_blocking(|| std::fs::read_link("/proc/thread-self").unwrap()).await.unwrap();
    say("thread", thread.file_name().unwrap().to_str().unwrap().parse().unwrap());
    while !crate::file_store::traced_save::begin(path).exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
    match store.compare_and_set(&key("work"), Some(held.revision), Some(next)).await {
        Ok(_) => {
            // Shows in the trace of that thread when the save was acknowledged.
            tokio::task::spawn_blocking(|| Path::new(ACKNOWLEDGED).exists()).await.unwrap();
            say("stored", 1);
        }
        Err(error) => {
            let text = error.to_string();
            let named = text.contains(path.parent().unwrap().to_str().unwrap()) && text.contains("; ");
            let secret = ["at-", "rt-"].iter().any(|secret| format!("{text} {error:?}").contains(secret));
            assert!(named && !secret, "{text}");
            eprintln!("{text}");
            say("failed", 1);
        }
    }
}

/// Task: holds a lease until it is killed.
async fn hold(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    let lease = store.lease(&key("work"), Duration::from_secs(10)).await.unwrap();
    say("held", u64::from(lease.is_some()));
    std::future::pending::<()>().await;
}
