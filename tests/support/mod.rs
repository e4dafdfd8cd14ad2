//! What the test binaries share: accounts, servers, a stage, other processes. Each binary includes it once.
#![allow(dead_code, unreachable_pub, reason = "each binary uses a part of it")]

pub(crate) mod accounts;
pub(crate) mod browser;
pub(crate) mod children;
pub(crate) mod login;
pub(crate) mod loopback;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod stage;
pub(crate) mod upload;
