//! Real processes: the test's own executable, started again to run one of its functions.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::process::{Child, Command, Stdio};

/// Set in the processes that a test starts.
const TASK: &str = "OAUTH_MARATHON_TEST_TASK";

/// What this process is to do, if a test has started it for something.
pub(crate) fn task() -> Option<Vec<String>> {
    std::env::var(TASK).ok().map(|task| task.split('\n').map(str::to_owned).collect())
}

/// Starts a process that runs the test function of this name, with a task.
pub(crate) fn spawn(function: &str, task: &[&str]) -> Child {
    command(function, task).spawn().unwrap()
}

/// The command of such a process.
pub(crate) fn command(function: &str, task: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", function, "--nocapture", "--test-threads=1"]).env(TASK, task.join("\n"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// Waits for a process without blocking the runtime; says whether it ended well.
pub(crate) async fn ended_well(mut child: Child) -> bool {
    tokio::task::spawn_blocking(move || child.wait().unwrap().success()).await.unwrap()
}
