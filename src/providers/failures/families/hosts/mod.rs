//! Services that run the models of others on their own machines.

pub(in crate::providers::failures) mod fireworks;
pub(in crate::providers::failures) mod groq;
pub(in crate::providers::failures) mod ollama;
pub(in crate::providers::failures) mod together;
