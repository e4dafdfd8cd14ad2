//! Keeps a pool and its store alike: what the pool changes is pushed to the store, what others change there is pulled.
//!
//! This room may read and write the store, off the path of requests. It holds the pool's lock across no await, and changes
//! the pool only through transitions of `state`. It is not a plain write after each change, because a request must not wait
//! for a store, a store may fail for hours, and other processes and people change the same records at the same time: so
//! changes wait in the state's outbox, one task writes them, another one follows the store, and one pure table (`together`)
//! says what becomes of two versions.

mod open;
pub(super) mod pull;
mod push;
mod together;
