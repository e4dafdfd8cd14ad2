//! Errors inside of answers that began with 200: seen before the caller gets anything, or counted for the next request.

#[path = "../support/accounts.rs"]
mod accounts;

mod early;
mod holding;
mod late;
mod passing;
mod quota;
mod silence;
mod support;
