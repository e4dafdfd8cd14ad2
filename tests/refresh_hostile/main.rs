//! Four processes over one store file, and an OAuth server that revokes a login when a refresh token comes twice, while
//! a hostile task stops and kills them, removes their lock and lease files, takes the store away and fills the disk. In
//! a test binary of its own, because it runs for as long as one wishes, and its processes take the whole machine.
//!
//! No login is revoked but those whose new token died with a process that was killed, and each of these is named: its
//! account needs a login because a refresh was cut short.
#![cfg(target_os = "linux")]

mod chaos;
mod child;
mod family;
mod logins;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use chaos::Chaos;
use family::Families;
use logins::Logins;

use crate::support::children;

const PROCESSES: usize = 4;
const LOGINS: usize = 8;

/// The longest exchange: twice and a half of it passes before an exchange without an end is repeated and answered. On a
/// machine that is busy a shorter one cuts exchanges off that are well.
const EXCHANGE: Duration = Duration::from_millis(1500);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().unwrap())
}

/// How long it goes on; `.ci/run` and `.ci/long` set more.
fn length() -> Duration {
    Duration::from_secs(number("OAUTH_MARATHON_HOSTILE_SECONDS").unwrap_or(8))
}

/// Runs in a process of its own that has a small disk of its own, where that can be had.
#[test]
fn no_login_is_revoked_and_none_is_lost_without_being_named() {
    if children::task().is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let seed = number("OAUTH_MARATHON_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("OAUTH_MARATHON_SEED={seed}");
    let mut run = match small_disk(&path) {
        Ok(()) => in_a_namespace(&path, children::command(module_path!(), "run", &[&path, &seed.to_string(), "disk"])),
        Err(why) => {
            assert!(std::env::var_os("OAUTH_MARATHON_SKIP_NOTHING").is_none(), "cannot be skipped here: {why}");
            println!("skipped: the full disk: {why}");
            children::command(module_path!(), "run", &[&path, &seed.to_string(), ""])
        }
    };
    assert!(run.stdout(Stdio::inherit()).status().unwrap().success(), "with OAUTH_MARATHON_SEED={seed}");
}

fn mount(path: &str) -> String {
    format!("mount -t tmpfs -o size=2m,mode=700 none {path}")
}

/// Whether a disk of our own can be had.
fn small_disk(path: &str) -> Result<(), String> {
    let tried = Command::new("unshare").args(["-U", "-r", "-m", "sh", "-c", &mount(path)]).output();
    match tried {
        Ok(tried) if tried.status.success() => Ok(()),
        Ok(tried) => Err(format!("unshare: {}", String::from_utf8_lossy(&tried.stderr))),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn in_a_namespace(path: &str, inner: Command) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["-U", "-r", "-m", "sh", "-c", &format!("{} && exec \"$@\"", mount(path)), "sh"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    outer
}

/// The whole run: the server, the processes, and the hostile task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run() {
    let Some(task) = children::task() else { return };
    let [folder, seed, disk] = &task[..] else { return };
    let path = format!("{folder}/store/credentials.json");
    let families = Families::default();
    let server = families.start().await;
    let logins = Logins::open(&path, &families, LOGINS).await;
    let mut chaos = Chaos::start(&path, &server.origin(), &families, &logins, seed.parse().unwrap(), !disk.is_empty());
    let end = tokio::time::Instant::now() + length();
    while tokio::time::Instant::now() < end {
        chaos.strike().await;
        logins.again(&families).await;
    }
    chaos.calm();
    // A process that waits for a dead one goes on, and all accounts are served again.
    logins.settle(&families).await;
    chaos.end().await;
    let mended = logins.again(&families).await;

    println!(
        "{} refreshes, {} requests served; {}; {} tokens died with their process, {mended} of them named and logged in again",
        families.refreshes().values().sum::<usize>(),
        families.served(),
        chaos.told(),
        families.reuses().iter().filter(|reuse| reuse.died).count(),
    );
    let revoked: Vec<_> = families.reuses().into_iter().filter(|reuse| !reuse.died).collect();
    assert!(revoked.is_empty(), "revoked: {revoked:#?}");
    logins.check(&families).await;
    assert_eq!(families.refreshes().len(), LOGINS, "all of them were refreshed");
}
