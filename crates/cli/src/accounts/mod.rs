//! The commands of `marathon auth`: one file for each, or for a few similar ones.
//!
//! This room works on the store and on the OAuth server, and prints through `terminal`. `records` changes one record,
//! `merge` finds the place of an account among the known ones, and `view` builds all that is shown of them. A command
//! is more than a call of the store, because other processes change the same records at the same time, and because a
//! refresh that has begun must not be cut off.

mod export;
mod import;
mod list;
mod login;
mod manage;
mod merge;
mod records;
mod refresh;
mod view;

use super::args::Auth;
use super::context::Context;
use super::failure::Failure;

/// Runs one of the commands.
pub(super) async fn run(context: &Context, command: Auth) -> Result<(), Failure> {
    match command {
        Auth::Login(args) => login::run(context, args).await,
        Auth::List(args) => list::run(context, args).await,
        Auth::Remove(args) => manage::remove(context, args).await,
        Auth::Use(args) => manage::make_active(context, args).await,
        Auth::Clear(args) => manage::clear(context, args).await,
        Auth::Refresh(args) => refresh::run(context, args).await,
        Auth::Import(args) => import::run(context, args).await,
        Auth::Export(args) => export::run(context, args).await,
    }
}
