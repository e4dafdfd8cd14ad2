//! Each of the usual layers, above and below the stack, means what the page on their order says.

#[path = "tower_layers/axum_state.rs"]
mod axum_state;
#[path = "tower_layers/http.rs"]
mod http_layers;
#[path = "tower_layers/limits.rs"]
mod limits;
#[path = "tower_layers/support.rs"]
mod support;
#[path = "tower_layers/timeouts.rs"]
mod timeouts;
