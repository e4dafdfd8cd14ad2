//! The login through the browser, with the callback on real sockets and a token endpoint by script.

mod answers;
mod common;
mod port;
mod requests;
