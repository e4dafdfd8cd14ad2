//! Those who pass requests on to the providers behind them, and add limits of their own.

pub(in crate::providers::failures) mod copilot;
pub(in crate::providers::failures) mod openrouter;
