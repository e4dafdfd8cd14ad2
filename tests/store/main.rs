//! The stores that outlive a process: the file and the keyring.

mod file_store;
mod keyring;
mod rules;
#[path = "../support/mod.rs"]
mod support;
