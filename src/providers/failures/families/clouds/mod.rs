//! Clouds that serve models among other things, with the codes of the cloud around them.

pub(in crate::providers::failures) mod aws;
pub(in crate::providers::failures) mod azure;
pub(in crate::providers::failures) mod dashscope;
pub(in crate::providers::failures) mod google;
