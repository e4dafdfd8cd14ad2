//! What users of the projects that came before rely on, each behaviour by its own test.

#[path = "../support/provider.rs"]
mod provider;
#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/tokens.rs"]
mod tokens;

mod accounts;
mod once;
mod rotation;
mod sign_in;
