//! Runs of the command itself, each with a store of its own. No run may show a secret: every one is searched for them.
#![cfg(unix)]

mod browser;
mod export;
mod help;
mod import;
mod interrupt;
mod list;
mod login;
mod manage;
mod mistakes;
mod refresh;
mod run;
mod server;
