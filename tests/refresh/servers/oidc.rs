//! A real OAuth server: node oidc-provider, of `tests/peers/oidc`, as a child process.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The client that the server knows.
pub(crate) const CLIENT: &str = "marathon-tests";

/// The server. It ends when it is dropped.
pub(crate) struct Peer {
    pub(crate) issuer: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts a server of its own for a test; `None`, and a word on standard error, where it is not installed. `.ci/run`
    /// installs it and sets `OIDC_PEER_REQUIRED`, so that nothing is left out there.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let folder = std::env::var_os("OIDC_PEER")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers/oidc"), PathBuf::from);
        if !folder.join("node_modules/oidc-provider").is_dir() {
            let message = format!(
                "left out: {test}: there is no oidc-provider in {}; .ci/oidc-peer installs it with npm",
                folder.display()
            );
            assert!(std::env::var_os("OIDC_PEER_REQUIRED").is_none(), "{message}");
            // Past the test harness, which keeps the words of tests that pass to itself.
            let _ = writeln!(std::io::stderr(), "{message}");
            return None;
        }
        let mut child = Command::new("node")
            .args(["--input-type=module", "-e", include_str!("../../peers/oidc/server.mjs")])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next_line().await.unwrap().expect("the server says where it is");
        let issuer = ready.strip_prefix("READY ").expect("READY comes first").to_owned();
        Some(Self { issuer, child, lines })
    }

    /// Ends the server, and returns all of its events in their order.
    pub(crate) async fn events(mut self) -> Events {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.lines.into_inner().read_to_string(&mut text).await.unwrap();
        self.child.wait().await.unwrap();
        Events(text.lines().filter_map(|line| line.strip_prefix("EVENT ")).map(Into::into).collect())
    }
}

/// The events that a server has printed.
#[derive(Debug)]
pub(crate) struct Events(pub(crate) Vec<String>);

impl Events {
    pub(crate) fn count(&self, event: &str) -> usize {
        self.0.iter().filter(|seen| *seen == event).count()
    }
}
