//! The table of what happens when, row by row, and what goes with it: events, attempts, the order of use, wrong input.

mod bad_input;
mod behaviours;
mod events;
mod every_setting;
mod how_each_goes_out;
mod late_outcomes;
mod managing;
mod max_attempts;
mod order_and_snapshot;
mod rows;
mod scripted_verdicts;
#[path = "../support/mod.rs"]
mod support;
