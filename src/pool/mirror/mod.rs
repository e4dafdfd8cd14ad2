//! Keeps a pool and its store alike: what the pool changes is pushed to the store, what others change there is pulled.
//!
//! It holds no lock across an await, and changes the pool by the transitions of its state alone.

mod open;
pub(super) mod pull;
mod push;
mod together;
