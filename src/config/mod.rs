//! The settings of a provider, as JSON or built in code, and the reader of `opencode.json`.
//!
//! The room checks plain values and makes credentials and token sources from them. It reads files and environment
//! variables, and knows no pool. It is more than serde derives, because an error about a file has to name the file, the
//! key and what would be right, and must not repeat a value that could be a secret.

mod keys;
#[cfg(feature = "config")]
mod opencode;
mod provider;
mod server;
mod settings;
#[cfg(feature = "config")]
mod substitute;

#[cfg(feature = "config")]
pub use self::opencode::OpencodeConfig;
pub use self::provider::ProviderOAuth;
pub use self::server::OAuthServer;
pub use self::settings::{OnBan, Resend, Settings, StrategyName, WhenAllCooling};
pub use crate::error::{TimeLimit, TimedOut};
