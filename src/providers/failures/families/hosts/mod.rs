//! Those who serve models that others have made, on machines of their own.

pub(in crate::providers::failures) mod fireworks;
pub(in crate::providers::failures) mod groq;
pub(in crate::providers::failures) mod ollama;
pub(in crate::providers::failures) mod together;
