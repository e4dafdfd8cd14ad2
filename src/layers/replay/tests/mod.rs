//! Tests of the replay body, its layer and its service.

mod limit;
mod property;
mod replaying;
mod service;
mod support;
mod takeover;
