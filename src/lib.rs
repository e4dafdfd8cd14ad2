//! Keeps requests running when an account hits the wall.
//!
//! Several OAuth accounts of one provider form a [`Pool`]. When one is rate limited (429), its token has expired (401, 403) or
//! its connection breaks, the same request goes on with the next account, and the caller sees one answer. It comes as tower
//! layers over any HTTP client that is a [`Service`](tower_service::Service).
//!
//! ```
//! use oauth_marathon::events::Event;
//! use oauth_marathon::tokens::refresh::OAuth2;
//! use oauth_marathon::{Credential, MarathonLayer, Pool, TokenSet};
//! # use bytes::Bytes;
//! # use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! # let (access, refresh, other, when) = ("a", "r", "o", std::time::SystemTime::now() + std::time::Duration::from_secs(3600));
//! # let http = tower::service_fn(async |_: http::Request<Full<Bytes>>| Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::new()))));
//! # let hyper_client = http;
//! let pool = Pool::builder("openai")
//!     .origin("https://api.example.com")
//!     .credential(Credential::new("work", TokenSet::new(access).with_refresh(refresh).expires_at(when)))
//!     .credential(Credential::new("home", TokenSet::new(other)))
//!     .token_source(OAuth2::new("https://auth.example.com/oauth/token", "my-client-id", http))
//!     .notifier(|event: &Event| eprintln!("{event}"))
//!     .build()?;
//! let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(hyper_client);
//! # let request = http::Request::post("https://api.example.com/v1/chat").body(Full::from("{}"))?;
//! let response = client.oneshot(request).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok(()) }
//! ```
//!
//! # The layers and their order
//!
//! ```text
//!  caller ─▶ Notify ─▶ (Replay) ─▶ Retry ─▶ Credential ─▶ Classify ─▶ your client
//! ```
//!
//! | layer | what it does |
//! |---|---|
//! | [`NotifyLayer`](layers::notify::NotifyLayer) | opens the [`RequestContext`] of the call, reports callers that go away |
//! | [`ReplayLayer`](layers::replay::ReplayLayer) | makes a streamed body replayable; only where it does not clone for free |
//! | [`RetryLayer`](layers::retry::RetryLayer) | the only loop: the same credential, failover to the next one, wait, or stop |
//! | [`CredentialLayer`](layers::credential::CredentialLayer) | leases a credential, injects it, settles the attempt |
//! | [`ClassifyLayer`](layers::classify::ClassifyLayer) | judges what an answer or an error means: the verdict |
//! | [`OriginGuardLayer`](layers::credential::OriginGuardLayer) | below a redirect layer: no credential reaches another origin |
//!
//! [`MarathonLayer`] puts them in this order. Each works alone; they meet only in the [`RequestContext`] and the
//! [`Verdict`](verdict::Verdict).
//!
//! Two pages say more: [the order of the layers](docs::order) under `ServiceBuilder` with those of tower and tower-http, and
//! [the usual compile errors](docs::errors) with their cures.
//!
//! # Features
//!
//! `file-store` is on by default. None changes what the others do.
//!
//! | feature | what it adds |
//! |---|---|
//! | `config` | reads a provider's settings from `opencode.json` or `opencode.jsonc` |
//! | `file-store` | `store::FileStore`: credentials in a file that survives crashes and that several processes may share; on by default |
//! | `hyper-client` | a pooled HTTPS client; exact knowledge of the errors of hyper and h2, for `resend: "safe"` |
//! | `reqwest` | the same stack as a middleware of reqwest-middleware, and over a plain reqwest client |
//! | `tower` | a policy for tower's own retry layer that decides as ours does |
//! | `login` | logging in through the browser (authorization code with PKCE) or with a code on another device |
//! | `keyring` | `store::KeyringStore`: the secrets in the keyring of the operating system, all else in another store |
//! | `full` | all of the above |
//!
//! The crate `oauth-marathon-test` is a test kit, for your `dev-dependencies`: a provider, a token source and a store by
//! script, a clock set by hand, a probe, and rules for your own parts.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unwrap_used
    )
)]

#[cfg(any(feature = "hyper-client", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "hyper-client", feature = "reqwest"))))]
pub mod clients;
pub mod clock;
pub mod config;
pub mod context;
mod credentials;
#[cfg(any(doc, doctest))]
pub mod docs;
mod error;
pub mod events;
pub mod layers;
pub mod pool;
pub mod providers;
mod serialized;
pub mod store;
mod sync;
pub mod tokens;
pub mod verdict;

#[doc(inline)]
pub use self::context::RequestContext;
pub use self::credentials::{Credential, CredentialId, Generation, Material, Secret, TokenSet};
pub use self::error::{BoxError, Error, ErrorKind};
pub use self::layers::check::{check_request_body, check_service, check_shared_service};
pub use self::layers::marathon::{Marathon, MarathonBody, MarathonLayer, ResponseFuture};
#[doc(inline)]
pub use self::pool::Pool;

/// The README's examples, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
