//! Keeps a pool and its store alike: changes of the pool are pushed to the store, changes of the store are pulled from
//! it.
//!
//! This room may read and write the store, off the path of requests. It holds the pool's lock across no await, and
//! changes the pool only through transitions of `state`. It is not a plain write after each change, because a request
//! must not wait for a store, a store may fail for hours, and other processes and people change the same records at the
//! same time. So changes wait in the state's outbox, one task writes them, another one follows the store, and one pure
//! table (`together`) says what to do with two versions.

mod open;
pub(super) mod pull;
mod push;
mod together;
