//! What users of the projects that came before rely on, each behaviour by its own test.

#[path = "../support/stage.rs"]
mod stage;

mod accounts;
mod once;
mod rotation;
mod sign_in;
