//! The part of the state that concerns the store: changes that wait to be written, and records that are taken over.
//!
//! This room does not know the store, only its plain data (`Record`, `Health`). Changes are noted in the `outbox`;
//! `records` compares and takes over credentials, `health` their cooldowns, and `last_status` decides which statuses
//! are noted. It is not a write at each change, because a transition must not wait, and many equal failures are one
//! note.

pub(in crate::pool::state) mod health;
pub(in crate::pool::state) mod last_status;
pub(in crate::pool::state) mod outbox;
pub(in crate::pool::state) mod records;
