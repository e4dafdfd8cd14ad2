//! Tests of the pool as a whole, with the layers that send its requests.

mod schedules;
