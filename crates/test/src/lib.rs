//! A test kit for code that uses [`oauth_marathon`], and for your own parts of a stack.
//!
//! The kit opens no socket and runs on tokio's clock. Mocks per test would be simpler, but the doubles here keep the
//! contracts of the real parts: a service that is called before it is ready panics, a store refuses a stale write.
//!
//! The kit is built on the public API of `oauth-marathon` alone, so a kit of your own can do all that this one does. It
//! has a version of its own: within a minor version a script keeps its meaning, and a patch adds no rule. A new minor
//! version may add a rule, which a part that passed before can break.
//!
//! ```toml
//! [dev-dependencies]
//! oauth-marathon = "0.1"
//! oauth-marathon-test = "0.1"
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! tower = { version = "0.5", features = ["util"] }
//! ```
//!
//! | part | what it is for |
//! |---|---|
//! | [`ScriptedProvider`] | answers by script, for each token and each call: statuses, connection errors, silence, [bodies that break](ScriptedBody); it can be ready late or never |
//! | [`ScriptedTokens`] | refreshes tokens by script: fresh ones, refusals, failures, panics |
//! | [`ScriptedStore`] | a store in memory that fails, hangs, or lets another process be quicker |
//! | [`ManualClock`] | the time of day, set by hand or going with tokio's clock |
//! | [`ProbeLayer`] | over a service of your own: counts what is in flight, done and dropped, and panics on a call without readiness |
//! | [`invariants`] | holds your own classifier, strategy or store against the rules, and finds a seed that breaks them |
//!
//! A failover in a test of your own, without sockets and without waiting:
//!
//! ```
//! use http_body_util::Full;
//! use oauth_marathon_test::{Reply, ScriptedProvider};
//! use oauth_marathon::{Credential, MarathonLayer, Pool, Secret};
//! use tower::{Layer, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! let provider = ScriptedProvider::new()
//!     .on("t-work", [Reply::limited(20)])
//!     .on("t-home", [Reply::ok().body("hello")]);
//! let pool = Pool::builder("openai")
//!     .origin("https://api.example.com")
//!     .credential(Credential::new("work", Secret::new("t-work")))
//!     .credential(Credential::new("home", Secret::new("t-home")))
//!     .build()?;
//! let client = MarathonLayer::new(pool).layer(provider.clone());
//! let request = http::Request::post("https://api.example.com/v1/chat").body(Full::<bytes::Bytes>::from("{}"))?;
//! assert_eq!(client.oneshot(request).await?.status(), 200);
//! assert_eq!(provider.tokens(), ["t-work", "t-home"]);
//! # Ok(()) }
//! ```
//!
//! Waits and cooldowns are governed by tokio's clock: with `#[tokio::test(start_paused = true)]` they take no time.
//!
//! One call holds a classifier, a strategy or a store of your own against the [rules](invariants). Their page says
//! which call is for which part, and has a whole test:
//!
//! ```
//! use oauth_marathon::pool::{Candidate, Choice, Strategy};
//! use oauth_marathon_test::invariants::check_strategy;
//!
//! struct LeastBusy;
//!
//! impl Strategy for LeastBusy {
//!     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
//!         (0..ready.len()).min_by_key(|at| ready[*at].in_flight)
//!     }
//! }
//!
//! check_strategy(&LeastBusy, 1)?;
//! # Ok::<_, oauth_marathon_test::invariants::Violation>(())
//! ```

mod body;
mod clock;
mod grant;
pub mod invariants;
mod probe;
mod provider;
mod provider_script;
mod reply;
mod reply_future;
mod store;
mod tokens;

pub use self::body::{BodyStep, BodyWatch, ScriptedBody};
pub use self::clock::ManualClock;
pub use self::grant::Grant;
pub use self::probe::{Probe, ProbeCounts, ProbeFuture, ProbeLayer};
pub use self::provider::ScriptedProvider;
pub use self::provider_script::Recorded;
pub use self::reply::Reply;
pub use self::reply_future::ReplyFuture;
pub use self::store::{Save, ScriptedStore, StoreCall};
pub use self::tokens::{Exchange, ScriptedTokens};
