//! The order of use, and the picks from it.
//!
//! The `rotation` keeps the order: a queue of the ready credentials and a timetable of the cooling ones. `ready` reads
//! it for one model, `pick` for one request. It is not a list that is sorted at each pick, because a pick must cost the
//! same for any number of credentials.

mod pick;
mod ready;
pub(in crate::pool::state) mod rotation;

pub(in crate::pool) use self::pick::Pick;
