//! The command `marathon`: the accounts of a store, in a terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    oauth_marathon::cli::run()
}
