//! The hostile part of the run: it stops and kills processes, removes files, takes the store away, and fills the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::family::Families;
use crate::logins::Logins;
use crate::support::children;
use crate::{EXCHANGE, PROCESSES, child};

/// The longest that a process is stopped, the store is away or the disk is full: well below the longest exchange, or others
/// rightly take it for dead where its lease file is removed.
const LONGEST: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strike {
    Stop,
    Kill,
    RemoveLock,
    RemoveLeases,
    TakeAway,
    FillDisk,
}

pub(crate) struct Chaos {
    path: PathBuf,
    spawn: Vec<String>,
    families: Families,
    random: fastrand::Rng,
    has_disk: bool,
    processes: Vec<(String, Child)>,
    started: usize,
    counts: BTreeMap<Strike, usize>,
}

impl Chaos {
    pub(crate) fn start(
        path: &str,
        origin: &str,
        families: &Families,
        logins: &Logins,
        seed: u64,
        has_disk: bool,
    ) -> Self {
        let exchange = EXCHANGE.as_millis().to_string();
        let spawn = [path, origin, &exchange, &logins.names.join(",")].map(str::to_owned).to_vec();
        let mut chaos = Self {
            path: path.into(),
            spawn,
            families: families.clone(),
            random: fastrand::Rng::with_seed(seed),
            has_disk,
            processes: Vec::new(),
            started: 0,
            counts: BTreeMap::new(),
        };
        for _ in 0..PROCESSES {
            let process = chaos.process();
            chaos.processes.push(process);
        }
        chaos
    }

    fn process(&mut self) -> (String, Child) {
        self.started += 1;
        let name = format!("p{}", self.started);
        let end = self.end_file();
        let [path, origin, exchange, logins] = &self.spawn[..] else { panic!() };
        let task = [path, origin, &name, exchange, logins, end.to_str().unwrap()];
        let child = children::spawn(child::MODULE, "process", &task);
        (name, child)
    }

    /// The file whose coming ends the processes: not on the disk that is filled.
    fn end_file(&self) -> PathBuf {
        std::env::temp_dir().join(format!("oauth-marathon-hostile-end-{}", std::process::id()))
    }

    /// Does one hostile thing, and undoes it after a while.
    pub(crate) async fn strike(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.random.u64(20..200))).await;
        let all =
            [Strike::Stop, Strike::Kill, Strike::RemoveLock, Strike::RemoveLeases, Strike::TakeAway, Strike::FillDisk];
        let strike = all[self.random.usize(0..all.len())];
        if strike == Strike::FillDisk && !self.has_disk {
            return;
        }
        *self.counts.entry(strike).or_default() += 1;
        let pause = Duration::from_millis(self.random.u64(1..LONGEST.as_millis() as u64));
        let victim = match strike {
            Strike::Stop | Strike::Kill => self.victim().await,
            _ => 0,
        };
        match strike {
            Strike::Stop => {
                self.signal(victim, Signal::STOP);
                tokio::time::sleep(pause).await;
                self.signal(victim, Signal::CONT);
            }
            Strike::Kill => {
                self.families.killed(&self.processes[victim].0);
                let next = self.process();
                let (_, mut child) = std::mem::replace(&mut self.processes[victim], next);
                child.kill().unwrap();
                child.wait().unwrap();
            }
            Strike::RemoveLock => self.remove(".lock"),
            Strike::RemoveLeases => self.remove(".lease"),
            Strike::TakeAway => {
                let elsewhere = self.path.with_file_name("elsewhere");
                fs::rename(&self.path, &elsewhere).unwrap();
                tokio::time::sleep(pause).await;
                assert!(!self.path.exists(), "it was made anew while it was away");
                fs::rename(&elsewhere, &self.path).unwrap();
            }
            Strike::FillDisk => {
                let filler = self.path.with_file_name("filler");
                // More than there is room for: all of it is taken.
                fs::write(&filler, vec![0; 4 << 20]).unwrap_err();
                tokio::time::sleep(pause).await;
                fs::remove_file(filler).unwrap();
            }
        }
    }

    /// Any process, or one that is just refreshing something.
    async fn victim(&mut self) -> usize {
        let any = self.random.usize(0..PROCESSES);
        if self.random.bool() {
            return any;
        }
        for _ in 0..500 {
            let asking = self.families.asking();
            if let Some(found) = self.processes.iter().position(|(name, _)| asking.as_ref() == Some(name)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        any
    }

    fn signal(&self, victim: usize, signal: Signal) {
        let id = Pid::from_raw(self.processes[victim].1.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }

    fn remove(&self, ending: &str) {
        for entry in fs::read_dir(self.path.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().ends_with(ending) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Lets the processes go on in peace; says nothing if one of them has ended by itself.
    pub(crate) fn calm(&mut self) {
        for (name, child) in &mut self.processes {
            assert!(child.try_wait().unwrap().is_none(), "{name} has ended by itself");
        }
    }

    /// Ends the processes, and waits for them.
    pub(crate) async fn end(&mut self) {
        let end = self.end_file();
        fs::write(&end, "").unwrap();
        for (name, child) in self.processes.drain(..) {
            assert!(children::ended_well(child).await, "{name}");
        }
        fs::remove_file(end).unwrap();
        let left: Vec<_> =
            fs::read_dir(self.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.iter().any(|path| path == Path::new(&self.path)));
    }

    pub(crate) fn told(&self) -> String {
        let counts = self.counts.iter().map(|(strike, count)| format!("{strike:?} {count}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// Kills all processes when the run fails.
impl Drop for Chaos {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
