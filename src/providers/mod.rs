//! All that is known of single providers: what their failures mean, what they say about quotas, how their streams name
//! events, and where a request names its model.
//!
//! The room reads answers and requests and changes nothing; of a pool it reads the provider's id and its origins. One
//! match on the provider would be shorter, but each question is answered from another part of an answer. So there is
//! one folder for each question and one file for each family of providers: when a provider changes something, one place
//! changes.

pub(crate) mod byte_search;
pub mod failures;
pub(crate) mod json;
pub mod model;
pub mod quota;
pub(crate) mod stream_events;
