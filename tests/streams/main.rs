//! Answers that stream: what is passed on, what is held back, and errors inside of answers that began with 200.

mod bodies;
mod errors_after_content;
mod errors_before_content;
mod holding;
mod over_sockets;
mod passing;
mod quota_events;
mod scripted;
mod silence;
#[path = "../support/mod.rs"]
mod support;
