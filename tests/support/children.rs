//! Real processes: the test's own executable, started again to run one of its functions.

use std::process::{Child, Command, Stdio};

/// The environment variable that holds the task of a started process.
const TASK: &str = "OAUTH_MARATHON_TEST_TASK";

/// The task of this process, if a test has started it with one.
pub(crate) fn task() -> Option<Vec<String>> {
    std::env::var(TASK).ok().map(|task| task.split('\n').map(str::to_owned).collect())
}

/// Starts a process that runs the test function of this name, with a task. `module` is the caller's `module_path!()`.
pub(crate) fn spawn(module: &str, function: &str, task: &[&str]) -> Child {
    command(module, function, task).spawn().unwrap()
}

/// The command that starts the process of [`spawn`].
pub(crate) fn command(module: &str, function: &str, task: &[&str]) -> Command {
    let (program, name) = (std::env::current_exe().unwrap(), test_name(module, function));
    // The harness would run nothing and succeed if no test had this name.
    let listed = Command::new(&program).args(["--exact", &name, "--list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&format!("{name}: test")), "there is no test {name}");
    let mut command = Command::new(program);
    command.args(["--exact", &name, "--nocapture", "--test-threads=1"]);
    command.env(TASK, task.join("\n"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// What the test harness calls a function of this module: its path without the name of the binary.
pub(crate) fn test_name(module: &str, function: &str) -> String {
    match module.split_once("::") {
        Some((_, module)) => format!("{module}::{function}"),
        None => function.to_owned(),
    }
}

/// Waits for a process without blocking the runtime. True if it succeeded.
pub(crate) async fn ended_well(mut child: Child) -> bool {
    tokio::task::spawn_blocking(move || child.wait().unwrap().success()).await.unwrap()
}
