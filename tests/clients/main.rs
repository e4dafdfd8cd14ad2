//! The clients below the stack, over real sockets: hyper's and reqwest's.

mod base_urls;
mod broken_connections;
mod builder;
mod connections;
mod h2_script;
mod http2;
mod over_reqwest;
mod redirect_targets;
mod redirects;
#[path = "../support/mod.rs"]
mod support;
mod time_limits;
mod upgrades;
mod uploads;
