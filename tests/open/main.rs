//! A pool that is what its store holds: opened with its order and health, followed, and written back.

#[path = "../support/accounts.rs"]
mod accounts;

mod clocks;
mod following;
mod health;
mod last_status;
mod opening;
mod refreshes;
mod support;
mod together;
