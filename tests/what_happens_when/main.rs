//! The table of what happens when, row by row.

#[path = "../support/stage.rs"]
mod stage;

mod all_cooling;
mod cap;
mod forbidden;
mod late;
mod limits;
mod login;
mod managing;
mod matrix;
mod models;
mod own_way;
mod rechecks;
mod renewal;
mod request;
mod resend;
mod server_errors;
mod snapshot;
mod storms;
mod told;
mod transport;
mod unauthorized;
