//! The stores that outlive a process: the file and the keyring.

mod file_store;
mod keyring;
#[path = "../support/mod.rs"]
mod support;
