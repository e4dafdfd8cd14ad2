//! A pool that is what its store holds: opened with its order and health, followed, and written back.

mod changes_during_refreshes;
mod clocks;
mod following;
mod health;
mod last_status;
mod opening;
mod refreshes;
mod stores;
