//! Services that pass requests on to other providers, and add limits of their own.

pub(in crate::providers::failures) mod copilot;
pub(in crate::providers::failures) mod openrouter;
