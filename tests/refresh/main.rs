//! Refreshes: one exchange for all requests that wait, across processes, killed ones too, and against real OAuth
//! servers.

mod across_processes;
mod clock_jumps;
mod four_processes;
mod growing_pauses;
mod killed;
mod limits;
mod meanwhile;
mod oidc_provider;
mod on_demand;
mod one_exchange;
mod over_sockets;
mod refusals_at_once;
mod refused_event;
mod servers;
mod stored_tokens;
#[path = "../support/mod.rs"]
mod support;
