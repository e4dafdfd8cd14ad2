//! A save of another process that strace watches and disturbs at its system calls.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oauth_marathon::store::{FileStore, Store};

use crate::file_store::child::{Process, command};
use crate::file_store::place::{Place, generation, key, raise, skip};

/// How a save ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Stored,
    Failed,
    Killed,
}

/// One system call, as strace writes it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) line: String,
    pub(crate) name: String,
    /// Which call of its name it is, from 1.
    pub(crate) number: usize,
}

/// A store with one record, which is saved once more by another process.
pub(crate) struct Save {
    pub(crate) place: Place,
    pub(crate) before: u64,
}

impl Save {
    pub(crate) async fn prepare() -> Self {
        let place = Place::new();
        let store = FileStore::open(&place.path).await.unwrap();
        let before = raise(&store, "work").await.unwrap().unwrap();
        Self { place, before }
    }

    /// Runs the save under strace. `inject` disturbs a call. `None` if processes cannot be traced here.
    pub(crate) fn run(&self, inject: Option<&str>) -> Option<(End, Vec<Call>)> {
        let mut process = Process::start(command("save", &self.place.path));
        let thread = process.heard("thread");
        let log = self.place.folder.path().join("log");
        let mut strace = Command::new("strace");
        strace.args(["-y", "-s", "40", "-e", "trace=%file,%desc", "-o"]).arg(&log).args(["-p", &thread.to_string()]);
        if let Some(inject) = inject {
            strace.args(["-e", &format!("inject={inject}")]);
        }
        let mut tracer = match strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn() {
            Ok(tracer) => tracer,
            Err(error) => {
                skip(&format!("strace: {error}"));
                return None;
            }
        };
        let mut said = BufReader::new(tracer.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if !line.contains("attached") {
            tracer.wait().unwrap();
            skip(&format!("strace: {line}"));
            return None;
        }
        std::fs::write(begin(&self.place.path), "").unwrap();
        let ended = process.child.wait().unwrap();
        tracer.wait().unwrap();
        std::fs::remove_file(begin(&self.place.path)).unwrap();
        let said = process.kill();
        let end = match (said.contains_key("stored"), said.contains_key("failed")) {
            (true, _) => End::Stored,
            (_, true) => End::Failed,
            _ => {
                assert!(!ended.success());
                End::Killed
            }
        };
        Some((end, calls(&log)))
    }

    /// The generation that another process finds in the store. Asserts that no other file is left.
    pub(crate) async fn after(&self) -> u64 {
        let store = FileStore::open(&self.place.path).await.unwrap();
        assert_eq!(self.place.leftovers(), [""; 0]);
        let kept = generation("work", store.load(&key("work")).await.unwrap().as_ref());
        assert!(kept == self.before || kept == self.before + 1, "{kept}");
        // It can be changed further.
        assert_eq!(raise(&store, "work").await.unwrap(), Some(kept + 1));
        kept
    }

    /// Makes this state the start of the next save.
    pub(crate) async fn again(&mut self) {
        let store = FileStore::open(&self.place.path).await.unwrap();
        self.before = generation("work", store.load(&key("work")).await.unwrap().as_ref());
    }
}

/// The file that lets the other process begin its save once it exists.
pub(crate) fn begin(path: &Path) -> PathBuf {
    path.parent().unwrap().with_file_name("begin")
}

fn calls(log: &Path) -> Vec<Call> {
    let log = std::fs::read_to_string(log).unwrap();
    let mut calls: Vec<Call> = Vec::new();
    for line in log.lines() {
        let name = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        if !line[name.len()..].starts_with('(') {
            continue;
        }
        let number = calls.iter().filter(|call| call.name == name).count() + 1;
        calls.push(Call { line: line.to_owned(), name, number });
    }
    calls
}
