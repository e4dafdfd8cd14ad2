//! All that is known of single providers: what their failures mean, what they say about quotas, how their streams name
//! events, and where a request names its model.
//!
//! It reads answers and requests and changes nothing. One folder a question, one file a family of providers, so that what a
//! provider changes is mended in one place.

pub(crate) mod eight;
pub mod failures;
pub(crate) mod json;
pub mod model;
pub mod quota;
pub(crate) mod stream_events;
