//! The command `marathon`, which looks after the accounts of a store in a terminal.
//!
//! It works on a store and an OAuth server, and runs no pool: the pools live in other processes, which read the changes
//! from the store. It uses only public parts of the library. `accounts` has the commands that change the store,
//! `auth_files` reads the files of other programs, and only `terminal` prints.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unwrap_used
    )
)]

mod accounts;
mod args;
mod auth_files;
mod check;
mod context;
mod failure;
mod server;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use self::args::{Args, Command, Config};
use self::context::Context;
use self::failure::{Code, Failure};
use self::terminal::Terminal;

fn main() -> ExitCode {
    protect_memory();
    let args = match parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Code::Done } else { Code::Usage }.into();
        }
    };
    let terminal = Terminal::new(args.global.color, args.global.quiet);
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(until_interrupted(args, terminal));
            // Work on the disk may come to its end; a thread that waits for the keyboard need not.
            runtime.shutdown_timeout(Duration::from_secs(10));
            outcome
        }
        Err(error) => Err(Failure::new(Code::Failed, format!("the runtime could not be started: {error}"))),
    };
    match outcome {
        Ok(()) => Code::Done.into(),
        Err(failure) => {
            terminal.fail(&failure);
            failure.code().into()
        }
    }
}

/// The colours of help and of mistakes follow `--color`, too.
fn parse() -> Result<Args, clap::Error> {
    let matches = Args::command().color(terminal::colour_of_help(std::env::args_os())).try_get_matches()?;
    Args::from_arg_matches(&matches)
}

async fn until_interrupted(args: Args, terminal: Terminal) -> Result<(), Failure> {
    let context = Context::new(terminal, args.global.store);
    tokio::select! {
        biased;
        outcome = perform(args.command, &context) => return outcome,
        _ = tokio::signal::ctrl_c() => {}
    }
    if context.has_unfinished() {
        terminal.tell("A refresh is on its way and is completed first; press Ctrl-C again to leave it.")?;
        // The wait ends by itself: an exchange is bounded, and the person hears of tokens that cannot be stored.
        tokio::select! {
            () = context.finished() => {}
            _ = tokio::signal::ctrl_c() => return Err(Failure::left()),
        }
    }
    Err(Failure::interrupted())
}

async fn perform(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Auth(command) => accounts::run(context, command).await,
        Command::Config(Config::Check(args)) => check::run(context, &args),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Args::command(), "marathon", &mut script);
            context.terminal.show(&String::from_utf8_lossy(&script))
        }
    }
}

/// Turns core dumps off, so that a crash leaves no image of the memory with its tokens.
fn protect_memory() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}
