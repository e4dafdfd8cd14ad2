//! Logging in: through the browser, and by device code.

mod code;
mod device;
#[path = "../support/mod.rs"]
mod support;
