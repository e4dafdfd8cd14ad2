//! Companies that make models and serve them under their own name, with keys or subscriptions.

pub(in crate::providers::failures) mod anthropic;
pub(in crate::providers::failures) mod cohere;
pub(in crate::providers::failures) mod deepseek;
pub(in crate::providers::failures) mod kimi;
pub(in crate::providers::failures) mod mistral;
pub(in crate::providers::failures) mod openai;
pub(in crate::providers::failures) mod xai;
pub(in crate::providers::failures) mod zai;
