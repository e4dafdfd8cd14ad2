//! The login through the browser, with the callback on real sockets and a token endpoint by script.

#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/login.rs"]
mod login;

mod answers;
mod port;
mod requests;
mod support;
