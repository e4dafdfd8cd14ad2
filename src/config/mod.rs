//! The settings of a provider, as JSON or built in code, and the reader of `opencode.json`.

mod keys;
#[cfg(feature = "config")]
mod opencode;
mod provider;
mod server;
mod settings;
#[cfg(feature = "config")]
mod substitute;
pub(crate) mod time_limit;

#[cfg(feature = "config")]
pub use self::opencode::OpencodeConfig;
pub use self::provider::ProviderOAuth;
pub use self::server::OAuthServer;
pub use self::settings::{OnBan, Resend, Settings, StrategyName, WhenAllCooling};
pub use self::time_limit::{TimeLimit, TimedOut};
