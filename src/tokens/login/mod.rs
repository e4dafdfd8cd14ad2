//! Logging a person in, so that there are tokens to run with: through the browser of this machine, or with a code that is
//! typed in on another one.
//!
//! No vendor's client id or endpoint is built in: you name yours, in the words of [`OAuthServer`](crate::config::OAuthServer).
//!
//! # Through the browser
//!
//! The authorization code grant (RFC 6749) with PKCE (RFC 7636), whose answer comes to a port of this machine (RFC 8252).
//! The library opens no browser: it gives the URL.
//!
//! ```no_run
//! use bytes::Bytes;
//! use http_body_util::Full;
//! # #[cfg(feature = "hyper-client")]
//! use oauth_marathon::clients::HttpClient;
//! use oauth_marathon::config::OAuthServer;
//! use oauth_marathon::tokens::login::Login;
//!
//! # #[cfg(feature = "hyper-client")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! let mut server = OAuthServer::default();
//! server.issuer = Some("https://auth.example.com".to_owned());
//! server.client_id = Some("my-client-id".to_owned());
//! server.scopes = vec!["openid".to_owned(), "offline_access".to_owned()];
//!
//! let login = Login::new(server, HttpClient::<Full<Bytes>>::new()?).by_code().await?;
//! println!("Open {}", login.url());
//! let logged_in = login.finish().await?;
//! println!("Hello {}", logged_in.label.as_deref().unwrap_or("whoever you are"));
//! # Ok(()) }
//! # #[cfg(not(feature = "hyper-client"))]
//! # fn main() {}
//! ```
//!
//! # With a code for another device
//!
//! The device authorization grant (RFC 8628), for machines without a browser. Here against a server that is a closure:
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use oauth_marathon::config::OAuthServer;
//! use oauth_marathon::tokens::login::{Login, Progress};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! let http = tower::service_fn(async |request: http::Request<Full<Bytes>>| {
//!     Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(match request.uri().path() {
//!         "/device" => {
//!             r#"{ "device_code": "secret", "user_code": "WDJB-MJHT", "expires_in": 900,
//!                  "verification_uri": "https://auth.example.com/confirm" }"#
//!         }
//!         _ => r#"{ "access_token": "at", "token_type": "Bearer", "account_id": "user-1" }"#,
//!     })))
//! });
//! let mut server = OAuthServer::default();
//! server.token_url = Some("https://auth.example.com/token".to_owned());
//! server.device_authorization_url = Some("https://auth.example.com/device".to_owned());
//! server.client_id = Some("my-client-id".to_owned());
//!
//! let login = Login::new(server, http).on_progress(|step: &Progress| eprintln!("{step}")).by_device().await?;
//! println!("Open {} and type {}", login.verification_uri(), login.user_code());
//! let logged_in = login.finish().await?;
//! assert_eq!(logged_in.subject.as_deref(), Some("user-1"));
//! # Ok(()) }
//! ```
//!
//! # Where its tokens go
//!
//! [`merge`] says whether a login belongs to a known credential or to a new one. The tokens are refreshed through
//! [`OAuth2`](crate::tokens::refresh::OAuth2) at the same token endpoint:
//! [`OAuth2::for_server`](crate::tokens::refresh::OAuth2::for_server).

mod answer;
mod callback;
mod code;
mod device;
mod endpoints;
mod error;
mod http;
mod identity;
mod logged_in;
mod opening;
mod pace;
mod page;
mod progress;
mod redirect;
mod server;
mod session;
mod settings;
mod visitors;

pub use self::code::CodeLogin;
pub use self::device::DeviceLogin;
pub use self::error::{LoginError, LoginErrorKind};
pub use self::logged_in::{LoggedIn, Merge, merge};
pub use self::progress::{CallbackRefusal, Progress};
pub use self::settings::Login;
