//! Known secrets go through everything that is public; none shows.

mod canary;
mod logins;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod values;
