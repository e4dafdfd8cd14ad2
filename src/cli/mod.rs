//! The command `marathon`, which looks after the accounts of a store in a terminal.
//!
//! The binary calls [`run`]; nothing else is public. The room works on a store and an OAuth server, and runs no pool: a
//! pool lives in another process, which reads the changes from the store. Each command has a file. They are more than a
//! call each, because other processes change the same records at the same time, and because a refresh that has begun
//! must not be cut off.

mod args;
mod ask;
mod check;
mod context;
mod exchange;
mod export;
mod failure;
mod import;
mod list;
mod login;
mod manage;
mod merge;
mod records;
mod refresh;
mod server;
mod terminal;
mod text;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use self::args::{Args, Auth, Command, Config};
use self::context::Context;
use self::failure::{Code, Failure};
use self::terminal::Terminal;

/// Runs the command with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
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
            // What still writes to the disk may end; a thread that waits for the keyboard need not.
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
        Command::Auth(auth) => match auth {
            Auth::Login(args) => login::run(context, args).await,
            Auth::List(args) => list::run(context, args).await,
            Auth::Remove(args) => manage::remove(context, args).await,
            Auth::Use(args) => manage::make_active(context, args).await,
            Auth::Clear(args) => manage::clear(context, args).await,
            Auth::Refresh(args) => refresh::run(context, args).await,
            Auth::Import(args) => import::run(context, args).await,
            Auth::Export(args) => export::run(context, args).await,
        },
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
