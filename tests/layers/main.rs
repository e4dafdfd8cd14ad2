//! The stack as tower sees it: the order of its layers, readiness, cancelling, and the layers and code of others around it.

mod always_refused;
mod auto_traits;
mod cancel;
mod foreign_code;
mod order;
mod readiness;
mod request_bodies;
mod request_context;
mod retry_policy;
#[path = "../support/mod.rs"]
mod support;
mod tower_layers;
