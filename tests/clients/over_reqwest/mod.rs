//! The stack over reqwest: as an adapter and as a middleware.

mod adapter;
mod lease_until_head;
mod middleware;
mod other_retries;
mod redirects;
