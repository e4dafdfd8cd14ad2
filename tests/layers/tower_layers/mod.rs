//! Each of the usual layers, above and below the stack, means what the page on their order says.

mod axum_state;
mod http_layers;
mod limits;
mod requests;
mod timeouts;
